"""Speaker verification from the command line: trained, saved, used on files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.speaker_pairs import RATE, new_voice, recording
from torchworks.seq_models.verification.metrics import equal_error, pair_scores
from torchworks.seq_models.verification.predictor import build_verification
from torchworks.shared.cli import main
from torchworks.shared.data.sounds import wav_bytes
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.testing import check_predictor

NET = {"channels": 6, "embed_dim": 5, "drop_rate": 0.0}


def run(*words: object) -> int:
    return main("seq-models", "who", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "who"
    words = ("--data", "speaker-pairs:train=8,test=4,each=4", "--steps", 25, "--trainer.batch-size", 16)
    assert run("train", "who", *words, "--precision", "fp32", "--out", folder) == 0
    return folder


@pytest.fixture(scope="module")
def voices(tmp_path_factory) -> Path:
    """A folder for each of two speakers, with two recordings."""
    folder, random = tmp_path_factory.mktemp("voices"), np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir()
        voice = new_voice(random, tested=True)
        for i in range(2):
            (folder / name / f"{i}.wav").write_bytes(wav_bytes(recording(voice, random), RATE))
    return folder


def test_the_equal_error_rate_is_where_both_kinds_of_errors_are_as_frequent():
    same = np.array([True] * 4 + [False] * 4)
    assert equal_error(np.array([0.9, 0.8, 0.7, 0.3, 0.6, 0.2, 0.1, 0.0]), same)[0] == pytest.approx(0.25)
    rate, limit = equal_error(np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.2, 0.1, 0.0]), same)
    assert rate == 0
    assert limit == pytest.approx(0.5)
    scores, pairs = pair_scores(np.eye(3)[[0, 0, 1]], np.array([7, 7, 8]))
    assert scores.tolist() == [1, 0, 0]
    assert pairs.tolist() == [True, False, False]


def test_a_run_has_scores_baselines_and_a_threshold(trained: Path):
    result = json.loads((trained / "result.json").read_text())
    assert 0 <= result["equal_error"] < 0.5
    assert result["equal_error_chance"] == 0.5
    assert {"equal_error_mfcc", "equal_error_lda"} <= {*result}
    assert -1 <= json.loads((trained / "model.json").read_text())["config"]["threshold"] <= 1
    assert check_golden(trained) < 1e-5


def test_each_pair_of_files_is_compared_and_the_threshold_explained(trained: Path, voices: Path, capsys):
    files = [voices / "a" / "0.wav", voices / "a" / "0.wav", voices / "b" / "1.wav"]
    assert run("compare-voices", trained, *files) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 3
    assert float(lines[0].split()[0]) == pytest.approx(1, abs=1e-3)
    assert "one voice" in lines[0]
    assert "It proves nothing about who speaks" in " ".join(err.split())


def test_one_file_and_files_that_are_no_sound_are_refused(trained: Path, voices: Path, tmp_path: Path, capsys):
    assert run("compare-voices", trained, voices / "a" / "0.wav") == 2
    assert "must be from 2 to 50" in " ".join(capsys.readouterr().err.split())
    wrong = tmp_path / "text.wav"
    wrong.write_text("hello")
    assert run("compare-voices", trained, voices / "a" / "0.wav", wrong) == 2
    assert "text.wav cannot be used" in " ".join(capsys.readouterr().err.split())
    for samples, reason in ((16_000, "it is silent"), (100, "it lasts 0.0")):
        wrong.write_bytes(wav_bytes(np.zeros(samples), 8_000))
        assert run("compare-voices", trained, voices / "a" / "0.wav", wrong) == 2
        assert reason in " ".join(capsys.readouterr().err.split())


def test_evaluate_scores_a_folder_of_speakers(trained: Path, voices: Path, tmp_path: Path):
    assert run("evaluate", trained, "--data", f"speaker-pairs:{voices}", "--out", tmp_path / "scores") == 0
    scores = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert (scores["recordings"], scores["speakers"]) == (4, 2)


def test_the_predictor_exports_for_sounds_of_any_length_and_padding_changes_nothing():
    torch.manual_seed(0)
    predictor = build_verification({"net": NET})

    def make(sizes: dict[str, int]) -> tuple[torch.Tensor, ...]:
        audio = torch.rand(sizes["N"], sizes["L"]) * 2 - 1
        return audio, torch.arange(sizes["N"]) % sizes["L"] + 1

    check_predictor(predictor, make, lengths={"L": (1, 160, 3000)})
    audio, length = torch.rand(1, 2000) - 0.5, torch.tensor([2000])
    padded = torch.nn.functional.pad(audio, (0, 900), value=0.7)
    with torch.no_grad():
        torch.testing.assert_close(predictor(padded, length), predictor(audio, length))
