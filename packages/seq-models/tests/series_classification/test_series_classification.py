"""Classifiers of series from the command line: trained, saved, used."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.series_classification.config import SeriesNetConfig
from torchworks.seq_models.series_classification.predictor import build_series_classifier
from torchworks.shared.cli import main
from torchworks.shared.config import LoaderConfig, UserError, to_dict
from torchworks.shared.data import open_source
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing import check_predictor

TINY = [
    "--net.widths", 8, 8, 8, "--trainer.steps", 60, "--trainer.batch-size", 8, "--precision", "fp32",
    "--optim.lr", 0.01,
]  # fmt: skip


def run(*words: object) -> int:
    return main("seq-models", "classify-series", COMMANDS, [str(word) for word in words])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


def line(kind: str, draw: np.random.Generator) -> str:
    """Two channels; in the first, `up` series rise and `down` ones fall."""
    steps = int(draw.integers(6, 14))
    slope = np.linspace(-1, 1, steps) * (1 if kind == "up" else -1)
    rows = [slope + draw.normal(0, 0.2, steps), draw.normal(0, 1, steps)]
    return ":".join(",".join(f"{value:.4f}" for value in row) for row in rows) + f":{kind}"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    for part, count in (("TRAIN", 24), ("TEST", 16)):
        draw = np.random.default_rng(count)
        rows = [line(kind, draw) for kind in ("up", "down") * (count // 2)]
        text = "#a comment\n@problemName slopes\n@timeStamps false\n@classLabel true up down\n@data\n"
        (folder / f"slopes_{part}.ts").write_text(text + "\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "slopes"
    assert run("train", "classify-series", "--data", f"ts:{files}/slopes_TRAIN.ts", "--out", folder, *TINY) == 0
    return folder


def test_slopes_are_told_apart_and_baselines_stand_beside(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["accuracy"] > 0.9
    assert result["accuracy_majority_class"] == 0.5
    assert {"accuracy_1nn_euclidean", "accuracy_1nn_dtw", "dtw_window"} <= result.keys()


def test_the_saved_model_answers_as_it_was_trained(trained):
    assert check_golden(trained) < 1e-5
    inputs = load_predictor(trained).signature.inputs
    assert inputs[0].labels == ("channel 1", "channel 2")


def test_series_in_files_are_classified_with_and_without_their_classes(trained, files, tmp_path, capsys):
    assert run("classify", trained, files / "slopes_TEST.ts", "--out", tmp_path / "classes.csv") == 0
    capsys.readouterr()
    rows = (tmp_path / "classes.csv").read_text().splitlines()
    assert rows[0] == "series,label,down,up"
    assert len(rows) == 17
    table = tmp_path / "own.csv"
    table.write_text("series,channel 2,channel 1\n" + "".join(f"a,0,{x}\nb,0,{-x}\n" for x in (-1, -0.5, 0, 0.5, 1)))
    bare = tmp_path / "bare.ts"
    bare.write_text("@classLabel false\n@data\n-1,-.5,0,.5,1:0,0,0,0,0\n1,?,0:0,0,0\n")
    assert run("classify", trained, table, "--file", bare, "--top", 1) == 2
    printed = capsys.readouterr()
    assert [row.split()[0] for row in printed.out.splitlines()] == ["up", "down", "up"]
    assert "bare.ts, line 4 has a missing value" in " ".join(printed.err.split())


def test_an_evaluation_and_an_explanation_are_drawn(trained, files, tmp_path, capsys):
    assert run("evaluate", trained, "--out", tmp_path / "evaluation") == 0
    found = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert found["accuracy"] == pytest.approx(json.loads((trained / "result.json").read_text())["accuracy"])
    assert [row["series"] for row in found["classes"]] == [8, 8]
    assert run("explain", trained, files / "slopes_TEST.ts", "--out", tmp_path / "series.png") == 0
    assert "most by steps" in capsys.readouterr().out
    for file in (tmp_path / "evaluation" / "errors.png", tmp_path / "series.png"):
        assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("architecture", ["fcn", "inception", "gru", "transformer"])
def test_the_model_is_exported_for_any_length(architecture: str):
    torch.manual_seed(0)
    net = SeriesNetConfig(
        architecture=architecture,
        widths=(4, 4),
        kernels=(4, 3),
        filters=2,
        hidden_dim=4,
        embed_dim=8,
        ff_dim=8,
        depth=1,  # ty: ignore[invalid-argument-type]
    )
    predictor = build_series_classifier(
        {"classes": ["a", "b"], "channels": ["x", "y"], "mean": [1.0, 2.0], "std": [2.0, 1.0], "net": to_dict(net)}
    )

    def inputs(sizes: dict[str, int]) -> tuple[torch.Tensor, ...]:
        lengths = torch.arange(sizes["N"]) % sizes["T"] + 1
        return torch.randn(sizes["N"], sizes["T"], 2), lengths

    check_predictor(predictor, inputs, lengths={"T": (1, 6, 17)})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("1,2:up\n", "lacks the line @data"),
        ("@data\n1,?:up\n2,3:down\n", "line 2 has a missing value"),
        ("@data\n1,2:3,4:up\n2,3:down\n", "line 3 has 1 channel, but the first series has 2"),
        ("@data\n1,2:3:up\n", "channels of different lengths, 1 to 2 steps"),
        ("@data\n1,x:up\n2,1:down\n", "has 'x', which is no number"),
        ("@timeStamps true\n@data\n(1,2):up\n", "has a time stamp with each value"),
        ("@targetlabel true\n@data\n1,2:3.5\n", "has no classes"),
        ("@data\n1,2:up\n2,3:up\n3,4:up\n", "needs two classes"),
        ("@data\n", "has no series"),
    ],
)
def test_files_that_cannot_be_used_are_refused(content, sentence, tmp_path, capsys):
    (tmp_path / "bad.ts").write_text(content)
    assert run("train", "classify-series", "--data", f"ts:{tmp_path}/bad.ts", "--dry-run") == 2
    assert sentence in said(capsys)


def test_names_and_other_runs_are_refused(trained, tmp_path, capsys):
    for words, sentence in (
        (["train", "classify-series", "--data", "ts:GunPont", "--dry-run"], "Did you mean 'GunPoint'?"),
        (
            ["train", "classify-series", "--data", "reviews:pairs=20", "--dry-run"],
            "This recipe needs series and labels",
        ),
        (["classify", trained], "No file was given"),
        (["classify", trained, tmp_path / "none.ts"], "There is no file"),
        (["find-anomalies", trained, tmp_path / "none.csv"], "which finds no anomalies"),
        (["explain", trained, "--out", tmp_path / "a.gif"], "must end in"),
    ):
        assert run(*words) == 2, words
        assert sentence in said(capsys)


def test_check_names_what_is_odd(files, tmp_path, capsys):
    rows = (files / "slopes_TRAIN.ts").read_text()
    (tmp_path / "s_TRAIN.ts").write_text(rows + "3,3,3:0,0,0:up\n")
    (tmp_path / "s_TEST.ts").write_text("\n".join(rows.splitlines()[:8]) + "\n1,1:?,2:up\n")
    assert run("check", f"ts:{tmp_path}/s_TRAIN.ts", "--picture", tmp_path / "nine.png") == 2
    printed = " ".join(capsys.readouterr().out.split())
    for sentence in (
        "Series that cannot be used: 1 (s_TEST.ts, line 9 has a missing value)",
        "Test series that are also in the training part: 3",
        "Series that do not change from step to step: 1 (s_TRAIN.ts, line 30)",
        "Steps of a series: 3 to 13",
    ):
        assert sentence in printed, printed
    assert (tmp_path / "nine.png").read_bytes().startswith(b"\x89PNG")


def test_tables_with_a_step_in_each_row_are_read(tmp_path):
    rows = [f"{name},{label},{i},{i * 2}" for name, label in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "y"))
            for i in range(3 + (name == "a") + 10 * (name == "c") + 5 * (name == "d"))]  # fmt: skip
    (tmp_path / "own.csv").write_text("series,label,speed,height\n" + "\n".join(rows) + "\n")
    source = open_source(f"ts:{tmp_path}/own.csv", LoaderConfig(test_fraction=0.5))
    assert len(source.train) == len(source.test) == 2
    assert source.schema["series"].classes == ("speed", "height")
    (tmp_path / "torn.csv").write_text("series,label,speed\na,x,1\na,y,2\nb,x,\n")
    with pytest.raises(UserError, match="series 'a' has the labels x, y, series 'b' has a missing value"):
        open_source(f"ts:{tmp_path}/torn.csv", LoaderConfig())


@pytest.mark.skipif(find_spec("aeon") is None, reason="comes with the extra series")
def test_bundled_series_have_their_official_parts_and_neighbors_their_published_scores():
    from torchworks.seq_models.series_classification.baselines import baselines
    from torchworks.shared.data import resident

    source = open_source("ts:ItalyPowerDemand", LoaderConfig())
    assert (len(source.train), len(source.test)) == (67, 1029)
    found = baselines(resident(source.train), resident(source.test))
    assert found["accuracy_1nn_euclidean"] == pytest.approx(0.9553, abs=1e-4)  # the archive's own
    assert found["accuracy_1nn_dtw"] == pytest.approx(0.9553, abs=1e-4)  # with its window, 0
