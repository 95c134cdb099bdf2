"""Every net that another library has is equal to it: keys, outputs, gradients. Exports take any size."""

import pytest

from torchworks.diffusion.models.parity import COMPARED, ORACLES, comparison, exported_difference, onnx_difference
from torchworks.shared.config import UserError
from torchworks.shared.models.parity import captured
from torchworks.shared.testing import check_parity

LESSER = ("U-Net, attention, 3 levels", "U-Net, time added, 2 layers", "conditional U-Net")
"""Architectures that differ by an option from one whose exports are always tested."""
TWICE = ("U-Net", "DiT", "text encoder")
"""Architectures whose second capture in a process is compared too; `diffusion models --parity` does so for all."""


@pytest.mark.parametrize("name", ORACLES)
def test_keys_outputs_and_gradients_are_the_references(name: str):
    """In float32 to 1e-5 and in float64 to 1e-9 of the largest."""
    found = comparison(name)
    check_parity(found.ours, found.reference, found.make(COMPARED), key_map=found.key_map)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name in LESSER else pytest.mark.slow) for name in ORACLES]
)
def test_exports_of_one_process_take_any_size_and_number_of_rows(name: str):
    """In float32: the program, of some captured twice, and its ONNX graph."""
    pytest.importorskip("onnxruntime", reason="needs diffusion[parity]")
    pytest.importorskip("onnxscript", reason="needs diffusion[parity]")
    found = comparison(name)
    programs = [captured(found) for _ in range(2 if name in TWICE else 1)]
    assert max(exported_difference(found, program) for program in programs) < 1e-5
    difference = onnx_difference(found, programs[-1])
    assert difference is not None
    assert difference < 1e-4


def test_an_unknown_architecture_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="Did you mean 'DiT'"):
        comparison("DiTs")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(ORACLES, "other", "no_such_library:net")
    with pytest.raises(UserError, match="package no_such_library, which is not installed"):
        comparison("other")
