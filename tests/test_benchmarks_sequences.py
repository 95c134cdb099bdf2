"""Promises of the benchmarks of sequences: what they compare is alike, and what they say follows from the times."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import bench_sequences
import recurrent_step
from race import Times
from recurrent_step import OURS, TEXTBOOK, THEIRS, Layer

TINY = [Layer(kind, 3, 5, 4, 6, lengths) for kind in ("RNN", "LSTM", "GRU") for lengths in (False, True)]


@pytest.mark.parametrize("layer", TINY, ids=str)
def test_all_implementations_compute_the_same(layer: Layer):
    outputs = [step() for step in recurrent_step.steps(layer, backward=False).values()]
    assert len(outputs) == (2 if layer.lengths else 3)
    for output in outputs[1:]:
        torch.testing.assert_close(output, outputs[0])
    assert recurrent_step.difference(layer) < 1e-5


@pytest.mark.parametrize(("seconds", "met"), [(1.02, True), (1.04, False)])
def test_the_target_is_met_only_by_layers_as_fast_as_torchs(seconds: float, met: bool):
    def times(value: float) -> Times:
        return Times((value,) * 3, (value,) * 3)

    found = {
        bench_sequences.title(layer, True): {OURS: times(seconds), THEIRS: times(1.0), TEXTBOOK: times(2.0)}
        for layer in recurrent_step.LAYERS
    }
    assert bench_sequences.as_fast(found).met is met
