"""Promises of the benchmarks of sequences: what they compare is alike, and what they say follows from the times."""

import dataclasses
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import bench_sequences
import recurrent_step
import series_speed
import sound_speed
from race import Times
from recurrent_step import OURS, TEXTBOOK, THEIRS, Layer


def times(value: float) -> Times:
    return Times((value,) * 3, (value,) * 3)


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
    found = {
        bench_sequences.title(layer, True): {OURS: times(seconds), THEIRS: times(1.0), TEXTBOOK: times(2.0)}
        for layer in recurrent_step.LAYERS
    }
    assert bench_sequences.as_fast(found).met is met


def test_a_back_test_forecasts_from_each_step_of_the_test_part():
    size = series_speed.SIZES[0]
    panel = series_speed.panel_of(size, origins=30)
    seen: list[torch.Tensor] = []
    found = series_speed.our_backtest(series_speed.our_net(size, panel), panel, seen)
    assert found.shape == (30, size.horizon, 5)
    values = torch.from_numpy(panel.values[0])
    for row, origin in ((0, series_speed.TRAINED), (29, panel.steps - size.horizon)):
        torch.testing.assert_close(seen[0][row, :, 0], values[origin - size.context : origin])


@pytest.mark.parametrize(("seconds", "met"), [(19.0, False), (21.0, True)])
def test_a_back_test_is_compared_with_the_same_forecasts_of_darts(seconds: float, met: bool):
    """And not with the slower ways to them."""
    ways = {series_speed.OURS: 1.0, series_speed.DARTS: seconds, series_speed.LAST: 5.0, series_speed.ONE_BY_ONE: 900.0}
    found = {"tiny": {"times": {name: times(value) for name, value in ways.items()}}}
    assert [target.met for target in series_speed.targets(found)] == [met]


def test_spectrograms_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch):
    config = sound_speed.FRONTS["8 kHz, 40 channels"]
    assert list(sound_speed.mels(config, 1)) == [sound_speed.OURS, sound_speed.TORCHAUDIO]
    other = sound_speed.torchaudio_mel(dataclasses.replace(config, low=100.0))
    monkeypatch.setattr(sound_speed, "torchaudio_mel", lambda config: other)
    with pytest.raises(AssertionError, match="differ"):
        sound_speed.mels(config, 1)


@torch.no_grad()
def test_recognisers_have_as_many_weights_and_frames():
    ours, wave, conformer = sound_speed.our_recognizer(), sound_speed.wav2vec2(), sound_speed.parakeet()
    sizes = [sum(each.numel() for each in net.parameters()) for net in (ours.net, wave, conformer)]
    assert max(sizes) < 1.05 * min(sizes)
    audio = sound_speed.digits(1.0, 8_000)[None]
    frames = ours(audio, torch.tensor([8_000]))[0].shape[1]
    mel = ours.mel(audio).transpose(1, 2)
    for logits in (wave(audio).logits, conformer(input_features=mel).logits):
        assert abs(logits.shape[1] - frames) <= 6  # ours hears silence before and behind


def test_sound_is_judged_by_its_medians():
    found = {
        "log_mel": {"forward": {sound_speed.OURS: times(1.0), sound_speed.TORCHAUDIO: times(0.9)}},
        "recognition": {"times": {"1 sound": {sound_speed.OURS: times(1.0), "large": times(2.0), "small": times(1.2)}}},
        "speaker": {"seconds": 61.0, "times": {sound_speed.OURS: times(1.0)}},
    }
    assert [target.met for target in sound_speed.targets(found)] == [False, True, False, True]
