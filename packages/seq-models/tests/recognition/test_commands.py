"""A small recogniser from training to transcripts."""

import json
from pathlib import Path

import numpy as np
import pytest

from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.dispatch import evaluate
from torchworks.seq_models.recognition.commands import Transcribe
from torchworks.seq_models.recognition.listening import open_listener
from torchworks.seq_models.recognition.use import transcribe
from torchworks.seq_models.sound.speaker import say
from torchworks.shared.cli import main
from torchworks.shared.config import UserError
from torchworks.shared.data.sounds import wav_bytes

TINY = [
    "--data", "spoken:train=24,test=4,longest=1", "--steps", "2", "--trainer.batch-size", "4", "--device", "cpu",
    "--net.hidden-dim", "8", "--net.channels", "8", "8", "--net.depth", "1", "--trainer.eval-every", "2",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "recognise"
    assert main("seq_models", "recognise", {}, ["train", "recognise", *TINY, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def sound(tmp_path) -> Path:
    file = tmp_path / "said.wav"
    file.write_bytes(wav_bytes(say("one two", seed=1).samples, 16_000))
    return file


def test_files_are_transcribed_and_those_that_cannot_be_heard_are_named(run, sound, tmp_path, capsys):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"1 of 2 .*broken\.wav"):
        transcribe(Transcribe(run, (sound, broken), out=tmp_path / "t.csv", picture=tmp_path / "t.png", times=True))
    assert capsys.readouterr().out.startswith(f"{sound}\t")
    assert (tmp_path / "t.csv").read_text().startswith("path,text")
    assert (tmp_path / "t.png").stat().st_size > 5_000
    with pytest.raises(UserError, match="No sound was given"):
        transcribe(Transcribe(run, ()))


def test_a_stream_in_one_piece_is_the_whole(run, sound):
    listener = open_listener(run, "cpu")
    samples = say("three four five", seed=2, rate=8_000).samples
    whole = listener.probabilities(samples)
    np.testing.assert_allclose(listener.in_pieces(samples, 60.0), whole, atol=1e-5)
    assert listener.in_pieces(samples, 0.4).shape == whole.shape


def test_it_is_scored_beside_templates(run, tmp_path, capsys):
    assert evaluate(Evaluate(run, out=tmp_path / "scores")) == 0
    table = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert {"greedy", "beam", "dtw"} <= table.keys()
    assert (tmp_path / "scores" / "errors.csv").exists()


def test_a_run_is_adapted_to_a_users_sounds_and_other_letters_are_refused(run, tmp_path):
    for i in range(6):
        (tmp_path / f"{i}.wav").write_bytes(wav_bytes(say("yes", seed=i).samples, 16_000))
        (tmp_path / f"{i}.txt").write_text("yes")
    words = ["train", "recognise", *TINY, "--data", f"sounds:{tmp_path}", "--init-from", str(run), "--replay", "4"]
    assert main("seq_models", "recognise", {}, [*words, "--dry-run"]) == 0
    (tmp_path / "0.txt").write_text("ja ß")
    assert main("seq_models", "recognise", {}, [*words, "--dry-run"]) == 2
    other = [*words, "--net.hidden-dim", "9", "--dry-run"]
    assert main("seq_models", "recognise", {}, other) == 2
