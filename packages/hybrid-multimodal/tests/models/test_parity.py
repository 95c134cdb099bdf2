"""Every net that another library has is equal to it: keys, outputs, gradients. Exports take any size."""

import pytest

from torchworks.hybrid_multimodal.models.parity import ORACLES, comparison
from torchworks.shared.models.parity import captured, exported_difference, onnx_difference
from torchworks.shared.testing import check_parity


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in ORACLES])
def test_keys_outputs_and_gradients_are_the_references(name: str):
    """In float32 to 1e-5 and in float64 to 1e-9 of the largest."""
    found = comparison(name)
    check_parity(found.ours, found.reference, found.compared(), key_map=found.key_map)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in ORACLES])
def test_exports_of_one_process_take_any_size_and_number_of_rows(name: str):
    """In float32: the program, captured twice, and its ONNX graph."""
    pytest.importorskip("onnxscript", reason="needs serving[onnx]")
    found = comparison(name)
    programs = [captured(found) for _ in range(2)]
    assert max(exported_difference(found, program) for program in programs) < 1e-5
    difference = onnx_difference(found, programs[-1])
    assert difference is not None
    assert difference < 1e-4
