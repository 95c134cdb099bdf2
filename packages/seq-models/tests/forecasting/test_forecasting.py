"""Forecasters from the command line: trained, saved, used."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.forecasting.predictor import build_forecaster
from torchworks.seq_models.forecasting.scaling import Pasts, Scaling
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing import check_predictor
from torchworks.shared.testing_runs import killed_and_resumed

TINY = [
    "--trainer.steps", 8, "--trainer.batch-size", 16, "--trainer.eval-every", 4, "--precision", "fp32",
    "--device", "cpu", "--net.width", 8, "--net.out-dim", 4, "--net.head-dim", 8, "--net.effect-dim", 8,
]  # fmt: skip


def run(*words: object) -> int:
    return main("seq-models", "forecast", COMMANDS, [str(word) for word in words])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


def write(file: Path, rows: list[list[object]]) -> Path:
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    return file


def hours(count: int, ahead: int = 0, seed: int = 0) -> list[list[object]]:
    """Two series with a holiday that is known in advance, for `ahead` hours after their end too."""
    draw = np.random.default_rng(seed)
    rows: list[list[object]] = [["time", "north", "south", "holiday"]]
    for i, time in enumerate(np.datetime64("2024-03-01T00", "h") + np.arange(count + ahead)):
        holiday = int(i // 24 % 9 == 4)
        day = np.sin(2 * np.pi * i / 24)
        values = np.array([100 + 30 * day - 20 * holiday, 50 - 10 * day - 8 * holiday]) + draw.normal(size=2)
        rows.append([time, *(np.round(values, 2) if i < count else ["", ""]), holiday])
    return rows


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> tuple[Path, Path]:
    """A file, and a run that was trained on it."""
    folder = tmp_path_factory.mktemp("own")
    file = write(folder / "own.csv", hours(600, ahead=24))
    assert run("train", "forecast", "--data", f"series:{file}", "--context", 48, *TINY, "--out", folder / "run") == 0
    return file, folder / "run"


def test_a_run_beats_the_season_before_and_is_scored_beside_it(own):
    result = json.loads((own[1] / "result.json").read_text())
    assert result["mase"] < result["mase_seasonal_naive"]
    assert {"mase_holt_winters", "mase_ridge", "mase_boosting", "coverage", "scaled_pinball"} <= result.keys()
    check_golden(own[1])


def test_series_are_continued_with_time_stamps_and_quantiles_in_order(own, tmp_path, capsys):
    file, folder = own
    words = ["forecast", folder, file, "--out", tmp_path / "next.csv", "--picture", tmp_path / "next.png"]
    assert run(*words) == 0
    rows = list(csv.DictReader((tmp_path / "next.csv").read_text().splitlines()))
    assert len(rows) == 48
    assert (rows[0]["time"], rows[0]["series"]) == ("2024-03-26T00:00:00", "north")
    quantiles = np.array([[float(row[name]) for name in ("q0.1", "q0.25", "q0.5", "q0.75", "q0.9")] for row in rows])
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (tmp_path / "next.png").stat().st_size > 1000
    assert "2024-03-26T23:00:00" in capsys.readouterr().out
    assert run("forecast", folder) == 0  # of the run's own file
    assert f"{quantiles[0, 2]:.5g}" in capsys.readouterr().out
    assert run(*words) == 2
    assert "Pass --overwrite" in said(capsys)
    assert run("forecast", folder, file, "--out", file, "--overwrite") == 2
    assert "is a file that is read" in said(capsys)


def test_series_of_working_days_without_a_known_column_are_learned_and_continued(tmp_path):
    """Then no forecast has all its days, and of the steps to come nothing need be said."""
    days = [day for day in np.datetime64("2023-01-02") + np.arange(300) if np.is_busday(day)]
    rows: list[list[object]] = [["date", "a", "b"], *([day, i % 5 + i / 99, i % 5] for i, day in enumerate(days))]
    file = write(tmp_path / "days.csv", rows)
    words = ["train", "forecast-linear", "--data", f"series:{file}", "--loader.target", "a", *TINY[:6]]
    assert run(*words, "--out", tmp_path / "run") == 0
    assert run("forecast", tmp_path / "run", file, "--out", tmp_path / "next.csv") == 0
    found = list(csv.DictReader((tmp_path / "next.csv").read_text().splitlines()))
    assert ({row["series"] for row in found}, len(found)) == ({"a"}, 14)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (hours(600, ahead=5), "has 5 rows after the last value"),
        (hours(30, ahead=24), "The series have 30 steps, but a forecast of this run reads the last 48"),
        ([row[:3] for row in hours(60)], "names the column 'holiday'"),
        ([hours(0)[0], *hours(1200, ahead=96)[1::2]], "has steps of PT2H, but the run was trained on steps of PT1H"),
    ],
)
def test_a_file_that_does_not_suit_the_run_is_refused(own, tmp_path, capsys, rows, message):
    assert run("forecast", own[1], write(tmp_path / "other.csv", rows)) == 2
    assert message in said(capsys)


def test_an_unknown_series_is_refused_with_the_nearest(own, capsys):
    assert run("forecast", own[1], own[0], "--series", "nort") == 2
    assert "Did you mean 'north'?" in said(capsys)


def test_a_backtest_scores_every_origin_and_draws(own, tmp_path, capsys):
    assert run("backtest", own[1], "--out", tmp_path / "b") == 0
    found = json.loads((tmp_path / "b" / "backtest.json").read_text())
    result = json.loads((own[1] / "result.json").read_text())
    assert found["forecasts"] == 2 * (120 - 24 + 1)
    assert found["season"] == 24
    for name, key in (("model", "mase"), ("ridge", "mase_ridge"), ("holt_winters", "mase_holt_winters")):
        assert found["scores"][name]["mase"] == pytest.approx(result[key], rel=1e-4)
        assert np.mean(found["by_step"][name]["mase"]) == pytest.approx(result[key], rel=1e-4)
    assert (tmp_path / "b" / "backtest.png").exists()
    assert "with a season of 24 steps" in capsys.readouterr().out
    other = write(tmp_path / "other.csv", hours(600, seed=5))
    assert run("evaluate", own[1], "--data", f"series:{other}", "--out", tmp_path / "e") == 0
    assert json.loads((tmp_path / "e" / "evaluation.json").read_text())["model"]["mase"] < 1


def test_a_forecast_reads_what_stands_in_the_file_alone(own):
    """Not how many other series there are, nor what came before the context."""
    predictor = load_predictor(own[1])
    shapes = [spec.shape[1:] for spec in predictor.signature.inputs]
    series, known = (torch.rand(5, *shape) for shape in shapes)
    whole = predictor(series, known)
    torch.testing.assert_close(predictor(series[2:3], known[2:3]), whole[2:3])
    assert predictor.signature.outputs[0].labels == ("q0.1", "q0.25", "q0.5", "q0.75", "q0.9")
    assert predictor.signature.inputs[0].labels == ("value", "holiday", "hour_of_day", "day_of_week")


def settings(architecture: str, columns: tuple[str, ...], skip: str = "naive") -> dict:
    scaling = Scaling(
        context=12, horizon=4, season=6, levels=(0.1, 0.5, 0.8), columns=columns, means=(0.0,) * (len(columns) > 1),
        stds=(1.0,) * (len(columns) > 1), log=bool(columns),
    )  # fmt: skip
    net = {
        "architecture": architecture, "skip": skip, "width": 8, "depth": 2, "num_heads": 2, "kernel_size": 3,
        "patch": 3, "out_dim": 3, "head_dim": 5, "effect_dim": 5, "drop_rate": 0.0,
    }  # fmt: skip
    return {"scaling": scaling.to_dict(), "net": net, "value": "value", "every": "PT1H"}


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("linear", "patchtst", "tcn")]


@pytest.mark.parametrize("architecture", ["lstm", "nbeats", *SLOW])
def test_every_architecture_exports_and_its_quantiles_never_cross(architecture):
    torch.manual_seed(0)
    columns = ("sun", "hour_of_day", "day_of_week") if architecture != "nbeats" else ()
    predictor = build_forecaster(settings(architecture, columns, "none" if architecture == "linear" else "naive"))
    for value in predictor.net.parameters():
        torch.nn.init.normal_(value, std=0.5)
    check_predictor(predictor, lambda sizes: inputs(predictor, sizes["N"]))
    assert (predictor(*inputs(predictor, 50)).diff(dim=2) >= 0).all()


def inputs(predictor, rows: int) -> tuple[torch.Tensor, ...]:
    """Random rows; values above 0, for those whose logarithms are taken."""
    return tuple(1 + 5 * torch.rand(rows, *spec.shape[1:]) for spec in predictor.signature.inputs)


def test_a_forecast_follows_the_unit_of_the_values():
    """In other units, or on another level, a plain model forecasts the same in these."""
    predictor = build_forecaster(settings("lstm", ()))
    scaling, net = predictor.net.scaling, predictor.net
    series = torch.rand(3, 12, 1)
    pasts, others = (Pasts.of(x, None, scaling) for x in (series, 7 * series + 2))
    pasts.stats = others.stats = torch.zeros(3, 2)
    torch.testing.assert_close(net(pasts), net(others), atol=1e-5, rtol=0)


def test_the_linear_layer_begins_as_the_season_before():
    predictor = build_forecaster(settings("lstm", ()))
    series = torch.rand(3, 12, 1)
    torch.testing.assert_close(predictor(series)[..., 1], series[:, 6:10, 0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--quantiles", 0.1, 0.9], "must be ascending and have"),
        (["--context", 5], "a season of demand has 7 steps"),
        (["--horizon", 200], "That is too few"),
        (["--data", "reviews"], "This recipe needs series and known"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path, capsys, words, message):
    data = [] if "--data" in words else ["--data", "demand:series=2,days=200"]
    assert run("train", "forecast", *data, *words, *TINY, "--out", tmp_path / "run") == 2
    assert message in said(capsys)


@pytest.mark.slow
def test_a_forecaster_killed_and_resumed_ends_with_the_very_same_weights(tmp_path):
    """With dropout, and noise on the past."""
    train = [
        "-m", "torchworks.seq_models", "train", "forecast", *TINY, "--data", "demand:series=4,days=300",
        "--trainer.log-every", 1, "--trainer.steps", 40, "--trainer.eval-every", 15, "--trainer.checkpoint-every", 4,
        "--net.drop-rate", 0.1, "--noise", 0.02, "--trainer.ema", 0.9,
    ]  # fmt: skip
    killed_and_resumed([str(word) for word in train], tmp_path)
