"""Anomalous steps of a series from the command line: trained, saved, used."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from torchworks.seq_models.anomalies.series_predictor import build_anomaly_series
from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.inference.states import example_states
from torchworks.shared.cli import main
from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import open_source, resident
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.testing import check_predictor

TINY = ["--trainer.steps", 120, "--trainer.eval-every", 60, "--trainer.batch-size", 8, "--length", 64,
        "--net.hidden-dim", 12, "--net.depth", 4, "--precision", "fp32", "--optim.lr", 0.01, "--smooth", 4]  # fmt: skip


def run(*words: object) -> int:
    return main("seq-models", "anomaly-series", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A wave each hour, which stands still for twelve steps near the end."""
    draw = np.random.default_rng(0)
    wave = np.sin(np.arange(1000) / 3) + draw.normal(0, 0.05, 1000)
    wave[850:862] = wave[850]
    stamps = np.datetime64("2024-01-01T00:00") + np.arange(1000) * np.timedelta64(1, "h")
    columns = zip(stamps, wave, draw.normal(size=1000), strict=True)
    rows = [f"{t},{value:.4f},{other:.4f},{int(850 <= i < 862)}" for i, (t, value, other) in enumerate(columns)]
    path = tmp_path_factory.mktemp("series") / "wave.csv"
    path.write_text("timestamp,level,noise,is_anomaly\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "wave"
    assert run("train", "anomaly-series", "--data", f"signal:{table}", "--loader.test-fraction", 0.4, "--out", folder,
               *TINY) == 0  # fmt: skip
    return folder


def test_the_place_is_found(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["place_found"] == 1
    assert result["auroc"] > 0.8
    assert result["average_precision"] > result["average_precision_moving_z_score"]
    assert check_golden(trained) < 1e-4


def test_alarms_are_named_by_their_time(trained, table, tmp_path, capsys):
    out, drawn = tmp_path / "scores.csv", tmp_path / "series.png"
    assert run("find-anomalies", trained, table, "--n", 1, "--out", out, "--picture", drawn) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("2024-02-05T")
    assert first.endswith("level")
    lines = out.read_text().splitlines()
    assert lines[0] == "timestamp,score,alarm,surprise level,surprise noise"
    assert len(lines) == 1001
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_an_evaluation_draws_the_test_part(trained, tmp_path):
    assert run("evaluate", trained, "--out", tmp_path) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert 840 < found["highest_score_at_step"] < 880
    assert (tmp_path / "highest.png").read_bytes().startswith(b"\x89PNG")


def test_series_that_cannot_be_used_are_refused(trained, table, tmp_path, capsys):
    rows = table.read_text().splitlines()
    (tmp_path / "gap.csv").write_text("\n".join([*rows[:50], "2024-01-03T02:00,,1,0", *rows[50:]]))
    (tmp_path / "short.csv").write_text("\n".join(rows[:120]))
    (tmp_path / "other.csv").write_text("timestamp,height\n1,2\n2,3\n")
    for words, sentence in (
        (
            ["train", "anomaly-series", "--data", f"signal:{tmp_path}/gap.csv"],
            "line 51 has no level). A step cannot be",
        ),
        (["train", "anomaly-series", "--data", f"signal:{tmp_path}/short.csv"], "100 of each are the fewest"),
        (["find-anomalies", trained, tmp_path / "other.csv"], "lacks the column level"),
        (["classify", trained, "x"], "not a classifier of texts or series"),
    ):
        assert run(*words) == 2, words
        assert sentence in " ".join(capsys.readouterr().err.split())


def test_check_says_where_time_stamps_are_not_regular(table, tmp_path, capsys):
    rows = table.read_text().splitlines()
    (tmp_path / "torn.csv").write_text("\n".join([*rows[:400], *rows[420:]]))
    assert run("check", f"signal:{table}") == 0
    assert "1,000 steps, one each PT1H, channels: level, noise" in " ".join(capsys.readouterr().out.split())
    assert run("check", f"signal:{tmp_path}/torn.csv") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Time stamps are not regular: after 2024-01-17 14:00:00 comes" in printed
    assert "Anomalies: 1 stretches, 12 steps" in printed


@pytest.mark.skipif(find_spec("aeon") is None, reason="comes with the extra series")
def test_the_test_part_of_the_archives_series_does_not_repeat_its_training_part():
    source = open_source("kdd-tsad", LoaderConfig())
    train, test = resident(source.train), resident(source.test)
    assert train.tensors["series"].shape == (1, 1200, 1)
    assert test.tensors["series"].shape == (1, 6301, 1)
    assert not train.tensors["anomaly"].any()
    assert test.tensors["anomaly"].nonzero()[:, 1].tolist() == list(range(2987, 2999))


@pytest.mark.parametrize("method", ["density", "autoencoder"])
def test_the_model_is_exported_for_any_length(method: str):
    torch.manual_seed(0)
    net = {"method": method, "hidden_dim": 4, "components": 2, "narrow": 2, "depth": 2, "window": 5}
    predictor = build_anomaly_series({
        "columns": ["a", "b"], "mean": [0.0, 1.0], "std": [1.0, 2.0], "usual": [0.5, 0.5], "clamp": 8.0, "smooth": 3,
        "threshold": 1.0, "net": net,
    })  # fmt: skip

    def inputs(sizes: dict[str, int]) -> tuple[torch.Tensor, ...]:
        rows = sizes["N"]
        states = example_states(predictor.signature, rows).values()
        return torch.randn(rows, sizes["T"], 2), torch.arange(rows) % sizes["T"] + 1, *states

    check_predictor(predictor, inputs, lengths={"T": (1, 6, 17)})
    series, length = torch.randn(1, 9, 2), torch.tensor([5])
    score, surprise, *after = predictor(series, length)
    assert not score[0, 5:].any()
    _, same, *state = predictor(series[:, :5], length)
    torch.testing.assert_close(surprise[:, :5], same)
    torch.testing.assert_close(after, state)

    whole, state, found = predictor(series, torch.tensor([9])), [], []
    for piece in series.split((1, 1, 4, 3), 1):  # as it comes in
        score, surprise, *state = predictor(piece, torch.tensor([piece.shape[1]]), *state)
        found.append((score, surprise))
    for each, parts in zip(whole[:2], zip(*found, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(parts, 1), each, atol=1e-5, rtol=1e-5)
