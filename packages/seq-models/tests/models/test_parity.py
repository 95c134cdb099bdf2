"""Every architecture that another library has is equal to it: keys, outputs, gradients. Exports take any size."""

import pytest

from torchworks.seq_models.models.parity import ORACLES, comparison, exported_difference, onnx_difference
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_parity

# PyTorch tells so of its own operator, once in a process
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


@pytest.mark.parametrize("name", ORACLES)
def test_keys_outputs_and_gradients_are_the_references(name: str):
    found = comparison(name)
    check_parity(found.ours, found.reference, found.example(), key_map=found.key_map, fp64_tol=found.fp64_tol)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.slow
def test_exports_of_one_process_take_any_length_and_number_of_rows(name: str):
    found = comparison(name)
    for _ in range(2):
        assert exported_difference(found) < 1e-5


@pytest.mark.slow
def test_a_net_whose_mask_is_learnt_is_an_onnx_graph_too():
    """T5's distances are added to the scores, by numbers that have a gradient."""
    pytest.importorskip("onnxscript", reason="needs serving[onnx]")
    difference = onnx_difference(comparison("T5"))
    assert difference is not None
    assert difference < 1e-4


@pytest.mark.long
@pytest.mark.parametrize("name", ["Tacotron 2", "Deep Speech", "Conformer", "wav2vec 2.0", "Whisper"])
def test_nets_that_hear_and_speak_are_onnx_graphs_too(name: str):
    pytest.importorskip("onnxscript", reason="needs serving[onnx]")
    difference = onnx_difference(comparison(name))
    assert difference is not None
    assert difference < 1e-4


def test_an_unknown_architecture_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="Did you mean 'LSTM'"):
        comparison("LTSM")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(ORACLES, "other", "no_such_library:net")
    with pytest.raises(UserError, match="package no_such_library, which is not installed"):
        comparison("other")
