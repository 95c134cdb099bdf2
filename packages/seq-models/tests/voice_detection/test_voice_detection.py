"""Voice detection from the command line: trained, saved, used on files; and as sound comes in."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.speech_segments import RATE, scene
from torchworks.seq_models.inference.states import example_states
from torchworks.seq_models.models.voice_detector import VoiceDetector
from torchworks.seq_models.voice_detection.features import MELS, Stream, mel_frames
from torchworks.seq_models.voice_detection.metrics import auroc, best_threshold, error
from torchworks.seq_models.voice_detection.predictor import build_voice_detection
from torchworks.seq_models.voice_detection.segments import Rules, segments_of
from torchworks.shared.cli import main
from torchworks.shared.data.sounds import wav_bytes
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.testing import check_predictor
from torchworks.shared.testing_runs import killed_and_resumed

NET = {"channels": 6, "hidden_dim": 8, "drop_rate": 0.0}
SMALL = ("--data", "speech-segments:train=30,test=10", "--precision", "fp32")


def run(*words: object) -> int:
    return main("seq-models", "detect-speech", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "detect"
    assert run("train", "detect-speech", *SMALL, "--steps", 40, "--optim.lr", 1e-2, "--out", folder) == 0
    return folder


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """With speech before faint noise, at another rate."""
    file = tmp_path_factory.mktemp("sounds") / "said.wav"
    samples, segments, _ = scene(np.random.default_rng(1), 0)
    assert segments
    file.write_bytes(wav_bytes(samples, RATE))
    return file


# ---- scores and rules --------------------------------------------------------------------------------------


def test_scores_of_frames_are_those_counted_by_hand():
    scores, truth = np.array([0.1, 0.4, 0.35, 0.8, 0.4]), np.array([0, 0, 1, 1, 1])
    assert auroc(scores, truth) == pytest.approx((1 + 0 + 1 + 1 + 1 + 0.5) / 6)
    limit = best_threshold(scores, truth)
    assert error(scores, truth, limit) == pytest.approx(0.2)
    assert 0.1 < limit < 0.4


def test_segments_begin_above_one_limit_and_end_below_another():
    speech = [0.0] * 5 + [0.6] + [0.4] * 20 + [0.1] * 5 + [0.9] * 20 + [0.1] * 40 + [0.9] * 3 + [0.0] * 9
    assert segments_of(speech, Rules(0.5, 0.3)) == [(0.045, pytest.approx(0.505))]
    assert len(segments_of(speech, Rules(0.5, 0.3, shortest=0, gap=0))) == 3
    assert segments_of([0.9] * 20) == [(0.0, pytest.approx(0.195))]
    assert segments_of([]) == []


# ---- as sound comes in -------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_stream_answers_as_for_the_whole_sound_whatever_the_pieces():
    torch.manual_seed(0)
    net = VoiceDetector(MELS, **NET).eval()
    for length in (1, 150, 1600, 7777):
        samples = torch.randn(length) / 10
        whole = net(mel_frames(samples[None]))[0].sigmoid()
        stream = Stream(net)
        found = torch.cat([*(stream.feed(piece) for piece in samples.split(333)), stream.end()])
        torch.testing.assert_close(found, whole, atol=1e-5, rtol=0)


# ---- a run -------------------------------------------------------------------------------------------------


def test_even_a_short_training_beats_loudness_and_names_baselines(trained: Path):
    result = json.loads((trained / "result.json").read_text())
    assert result["auroc"] > 0.9
    assert {"auroc_energy", "auroc_classical", "error_always_silence", "error_hum"} <= {*result}
    assert check_golden(trained) < 1e-5


def test_segments_of_a_file_are_printed_written_and_drawn(trained: Path, sound: Path, tmp_path: Path, capsys):
    out, picture = tmp_path / "found.json", tmp_path / "found.png"
    assert run("detect-speech", trained, sound, "--out", out, "--picture", picture) == 0
    lines = [tuple(map(float, line.split("\t"))) for line in capsys.readouterr().out.splitlines()]
    (found,) = json.loads(out.read_text())
    assert found["seconds"] == 4
    assert lines == [tuple(round(each, 2) for each in segment) for segment in found["speech"]]
    assert picture.stat().st_size > 5000


def test_files_that_cannot_be_read_are_named_once_the_others_are_done(trained: Path, sound: Path, tmp_path, capsys):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    assert run("detect-speech", trained, tmp_path / "none.wav", broken, sound) == 2
    out, err = capsys.readouterr()
    assert all(line.startswith(f"{sound}\t") for line in out.splitlines())
    said = " ".join(err.split())
    assert "none.wav: there is no such file" in said
    assert "2 of 3" in said


def test_evaluate_scores_other_sounds(trained: Path, sound: Path, tmp_path: Path):
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.wav").write_bytes(sound.read_bytes())
        (folder / f"{name}.txt").write_text("0.5 1.0\n")
    assert run("evaluate", trained, "--data", f"speech-segments:{folder}", "--out", tmp_path / "scores") == 0
    scores = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert scores["sounds"] == 2
    assert scores["share_of_speech"] == pytest.approx(50 / 401)


def test_the_predictor_exports_for_sounds_of_any_length():
    torch.manual_seed(0)
    predictor = build_voice_detection({"net": NET})

    def make(sizes: dict[str, int]) -> tuple[torch.Tensor, ...]:
        rows = sizes["N"]
        audio = torch.rand(rows, sizes["L"]) * 2 - 1
        states = example_states(predictor.signature, rows).values()
        return audio, torch.arange(rows) % sizes["L"] + 1, torch.arange(rows) % 2, *states

    check_predictor(predictor, make, lengths={"L": (1, 160, 1000)})


@torch.no_grad()
def test_padding_changes_no_answer_and_holds_no_speech():
    predictor = build_voice_detection({"net": NET}).eval()
    audio = torch.rand(1, 1000) - 0.5
    rest = torch.tensor([1000]), torch.tensor([1]), *example_states(predictor.signature, 2).values()
    rest = tuple(each[-1:] for each in rest)
    alone, frames, *state = predictor(audio, *rest)
    padded, same, *after = predictor(torch.nn.functional.pad(audio, (0, 900), value=0.7), *rest)
    torch.testing.assert_close(after, state)
    count = int(frames)
    assert same.tolist() == [count]
    torch.testing.assert_close(padded[:, :count], alone[:, :count])
    assert not padded[:, count:].any()


@torch.no_grad()
def test_the_predictor_answers_pieces_as_it_does_the_whole_sound():
    torch.manual_seed(0)
    predictor = build_voice_detection({"net": NET}).eval()
    beginning = [each[:1] for each in example_states(predictor.signature, 1).values()]
    for length, pieces in ((7777, (1, 3000, 160, 39, 1, 4576)), (1600, (1600,)), (333, (200, 133))):
        audio = torch.rand(1, length) - 0.5
        whole, frames, *_ = predictor(audio, torch.tensor([length]), torch.tensor([0]), *beginning)
        assert frames.tolist() == [1 + length // 160]
        state, found = beginning, []
        for number, piece in enumerate(audio.split(pieces, 1), 1):
            more = torch.tensor([int(number < len(pieces))])
            speech, count, *state = predictor(piece, torch.tensor([piece.shape[1]]), more, *state)
            found.append(speech[:, : int(count)])
        torch.testing.assert_close(torch.cat(found, 1), whole[:, : int(frames)], atol=1e-5, rtol=0)
        assert not any(each.any() for each in state)  # the next sound begins as the first one did


@pytest.mark.long
def test_killed_and_resumed_it_ends_with_the_very_same_weights(tmp_path: Path):
    train = [
        "-m", "torchworks.seq_models", "train", "detect-speech", "--data", "speech-segments:train=6,test=5",
        "--precision", "fp32", "--steps", "30", "--trainer.eval-every", "10", "--trainer.checkpoint-every", "4",
        "--trainer.log-every", "1", "--trainer.batch-size", "4",
    ]  # fmt: skip
    killed_and_resumed(train, tmp_path)
