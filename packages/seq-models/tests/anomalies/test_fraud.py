"""Anomalous rows from the command line: trained, saved, used."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from torchworks.seq_models.anomalies.rows_predictor import build_fraud
from torchworks.seq_models.commands import COMMANDS
from torchworks.shared.cli import main
from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import open_source
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.testing import check_predictor

TINY = ["--trainer.steps", 300, "--trainer.batch-size", 128, "--trainer.eval-every", 150, "--net.hidden-dim", 24,
        "--net.components", 4, "--precision", "fp32", "--alarm-rate", 0.05, "--optim.lr", 0.01]  # fmt: skip


def run(*words: object) -> int:
    return main("seq-models", "fraud", COMMANDS, [str(word) for word in words])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Ordinary rows have b = a²; anomalies are within the same limits, but have not."""
    draw = np.random.default_rng(0)
    a = draw.uniform(-2, 2, 1200)
    anomaly = np.arange(1200) % 12 == 0
    b = np.where(anomaly, (a**2 + draw.uniform(1.5, 2.5, 1200)) % 4, a**2 + draw.normal(0, 0.05, 1200))
    rows = [f"{x:.4f};{y:.4f};{z:.4f};id{i % 90};{int(t)}"
            for i, (x, y, z, t) in enumerate(zip(a, b, draw.normal(size=1200), anomaly, strict=True))]  # fmt: skip
    path = tmp_path_factory.mktemp("rows") / "curve.csv"
    path.write_text("a;b;c;id;anomaly\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "fraud"
    assert run("train", "fraud", "--data", f"rows:{table}", "--out", folder, *TINY) == 0
    return folder


def test_rows_that_break_a_rule_are_found_where_each_column_is_ordinary(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["auroc"] > 0.95
    assert result["average_precision"] > 0.8
    assert result["auroc_mahalanobis"] < 0.8  # distance from the middle does not see the curve
    assert result["false_alarms"] < 0.15
    assert {"auroc_isolation_forest", "auroc_neighbors", "average_precision_boosted_trees_with_labels"} <= result.keys()


def test_the_saved_model_answers_as_it_was_trained(trained):
    assert check_golden(trained) < 1e-4


def test_alarms_are_named_with_the_columns_that_surprise(trained, tmp_path, capsys):
    rows = "c,b,a\n0.1,1.02,1\n0.2,3.5,0.1\n0,x,1\n0.3,2.3,-1.5\n"
    (tmp_path / "new.csv").write_text(rows)
    out, drawn = tmp_path / "scores.csv", tmp_path / "rows.png"
    assert run("find-anomalies", trained, tmp_path / "new.csv", "--out", out, "--picture", drawn) == 2
    printed = capsys.readouterr()
    first, last = [line for line in printed.out.splitlines() if "line" in line or "Alarms" in line][:2]
    assert first.startswith("line 3")
    assert "b 3.5 (+" in first.partition("score")[2].split(",")[0]
    assert last == "Alarms: 1 of 3 rows (33.3%)."
    assert "line 4 has the b 'x', which is no number" in " ".join(printed.err.split())
    lines = out.read_text().splitlines()
    assert lines[0] == "line,score,alarm,surprise a,surprise b,surprise c"
    assert [line.split(",")[2] for line in lines[1:]] == ["0", "1", "0"]
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert run("find-anomalies", trained, tmp_path / "new.csv", "--out", tmp_path / "new.csv") == 2
    assert "is a file that is read" in said(capsys)
    assert (tmp_path / "new.csv").read_text() == rows


def test_an_evaluation_scores_the_test_part_again(trained, tmp_path):
    assert run("evaluate", trained, "--out", tmp_path) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    result = json.loads((trained / "result.json").read_text())
    assert found["auroc"] == pytest.approx(result["auroc"], abs=1e-4)
    assert found["found"] == pytest.approx(result["found"], abs=1e-2)
    assert (tmp_path / "ranking.png").read_bytes().startswith(b"\x89PNG")


def test_without_labels_the_strangest_rows_are_left_out_and_said_to_be(table, tmp_path, capsys):
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(line.rpartition(";")[0] for line in table.read_text().splitlines()))
    for words, sentence in (
        ([], "the 10% of training rows that an isolation forest finds strangest are left out"),
        (["--drop", 0], "anomalies among them are learned as ordinary"),
    ):
        folder = tmp_path / f"run{len(words)}"
        assert (
            run("train", "fraud", "--data", f"rows:{bare}", "--out", folder, *TINY, "--trainer.steps", 2, *words) == 0
        )
        assert sentence in " ".join("".join(capsys.readouterr()).split())
        assert "auroc" not in json.loads((folder / "result.json").read_text())
    assert run("train", "fraud", "--data", f"rows:{bare}", "--learn", "ordinary", "--dry-run") == 2
    assert "--learn ordinary needs a column anomaly" in said(capsys)
    assert run("check", f"rows:{bare}") == 0
    assert "No column anomaly says which rows are anomalies" in " ".join(capsys.readouterr().out.split())


def test_tables_that_cannot_be_used_are_refused(trained, tmp_path, capsys):
    def file(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return f"rows:{tmp_path / name}"

    many = "".join(f"{i},{i * i}\n" for i in range(60))
    for data, sentence in (
        (file("gap.csv", f"a,b\n{many},3\n"), "line 62 has no a"),
        (file("label.csv", f"a,anomaly\n{many}"), "says '4' for anomaly, which must be 1 or 0"),
        (file("words.csv", "a,b\n" + "x,y\n" * 50), "no column of numbers that differ"),
        (file("few.csv", "a,b\n1,2\n2,3\n"), "20 of each are the fewest"),
        ("rows", "needs the path of a table"),
        ("shuttle:x", "takes nothing after a colon"),
    ):
        assert run("train", "fraud", "--data", data, "--dry-run") == 2, data
        assert sentence in said(capsys), data
    assert run("find-anomalies", trained, tmp_path / "few.csv") == 2
    assert "lacks the column c" in said(capsys)
    assert run("find-anomalies", trained, tmp_path / "few.csv", "--alarm-rate", 2) == 2
    assert "it must be above 0 and below 1" in said(capsys)


@pytest.mark.skipif(find_spec("river") is None, reason="comes with the extra series")
def test_shuttle_has_its_anomalies():
    source = open_source("shuttle", LoaderConfig(test_fraction=0.5))
    labels = [int(part.tensors["label"].sum()) for part in (source.train, source.test)]  # ty: ignore[unresolved-attribute]
    assert len(source.train) + len(source.test) == 49_097
    assert sum(labels) == 3_511
    assert abs(labels[0] - labels[1]) < 20


@pytest.mark.parametrize("method", ["density", "autoencoder"])
def test_the_model_is_exported_for_any_number_of_rows(method: str):
    torch.manual_seed(0)
    net = {"method": method, "hidden_dim": 6, "components": 2, "narrow": 2, "depth": 2, "window": 4}
    predictor = build_fraud({
        "columns": ["a", "b", "c"], "mean": [0.0, 1.0, 2.0], "std": [1.0, 2.0, 3.0], "usual": [0.5, 0.5, 0.5],
        "clamp": 8.0, "threshold": 1.0, "net": net,
    })  # fmt: skip
    check_predictor(predictor)
