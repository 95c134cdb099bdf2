"""Models of tables from the command line: trained, scored, asked, exported."""

import csv
import json
import random

import pytest
import torch

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.table_columns import Columns
from torchworks.seq_models.models.ft_transformer import FeatureTokenizer
from torchworks.seq_models.tabular.baselines import verdict
from torchworks.seq_models.tabular.predictor import build_tabular, plain
from torchworks.seq_models.tabular.scaling import Scaling
from torchworks.shared.cli import main
from torchworks.shared.data.mixed_columns import MISSING
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing import check_predictor

TINY = ("--net.width", 32, "--trainer.steps", 200, "--trainer.eval-every", 100, "--trainer.batch-size", 32,
        "--optim.lr", 0.01, "--precision", "fp32")  # fmt: skip
KINDS = {"ft": "tabular", "mlp": "tabular-mlp", "resnet": "tabular-resnet"}


def run(*words: object) -> int:
    return main("seq-models", "tabular", COMMANDS, [str(word) for word in words])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Rows whose class is told by a city and an age, with empty cells, and a column of names."""
    draw = random.Random(0)
    file = tmp_path_factory.mktemp("table") / "people.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["Name", "Age (years)", "City", "Noise", "Same", "Income", "Bought"])
        for i in range(240):
            age, city = draw.randint(18, 80), draw.choice(["Ulm", "Bonn", "Kiel"])
            bought = "yes" if (age > 50) == (city == "Ulm") else "no"
            income = 1000 + 40 * age + 500 * (city == "Bonn")
            shown = "" if i % 17 == 3 else age
            writer.writerow([f"name{i}", shown, city, f"{draw.random():.3f}", 1, income, bought])
    return file


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mlp"
    assert run("train", "tabular-mlp", "--data", f"table:{table}", "--out", folder, *TINY) == 0
    return folder


def test_a_class_is_learned_beside_trees_and_a_linear_model(trained, capsys, tmp_path):
    result = json.loads((trained / "result.json").read_text())
    assert result["accuracy"] > 0.8
    for name in ("majority", "linear", "forest", "boosting"):
        assert 0 < result[f"accuracy_{name}"] <= 1
    assert check_golden(trained) < 1e-5
    assert run("evaluate", trained, "--out", tmp_path) == 0
    again = json.loads((tmp_path / "evaluation.json").read_text())
    assert again["accuracy"] == pytest.approx(result["accuracy"])
    assert "on the test part: accuracy" in capsys.readouterr().out


def test_other_rows_are_scored_with_the_same_baselines(trained, table, tmp_path, capsys):
    rows = table.read_text().splitlines()
    (tmp_path / "new.csv").write_text("\n".join(rows[:61]) + "\n")
    assert run("evaluate", trained, "--data", f"table:{tmp_path / 'new.csv'}", "--out", tmp_path / "scores") == 0
    assert "60 rows" in capsys.readouterr().out
    assert json.loads((tmp_path / "scores" / "evaluation.json").read_text())["accuracy"] > 0.8
    (tmp_path / "odd.csv").write_text("\n".join([*rows[:20], rows[20].rpartition(",")[0] + ",maybe"]) + "\n")
    for data, sentence in (
        (f"table:{tmp_path / 'odd.csv'}", "line 21 has 'maybe'"),
        ("iris", "--data iris is no table"),
    ):
        assert run("evaluate", trained, "--data", data, "--out", tmp_path / "none") == 2
        assert sentence in said(capsys)


def test_rows_of_a_file_are_answered_and_gaps_are_said(trained, tmp_path, capsys):
    rows = tmp_path / "rows.csv"
    rows.write_text("age (years),city\n70,Ulm\n70,Kiel\n,Rome\n")
    assert run("estimate", trained, rows, "--out", tmp_path / "out.csv") == 0
    printed = capsys.readouterr().out
    assert "lacks noise, income" in printed
    assert "Training had no city Rome" in printed
    written = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in written] == ["line", "2", "3", "4"]
    rows.write_text("age_years,city\nold,Ulm\n")
    assert run("estimate", trained, rows) == 2
    assert "line 2 has the age_years 'old'" in said(capsys)
    assert run("estimate", trained, rows, "--out", rows, "--overwrite") == 2
    assert "is a file that is read" in said(capsys)


def test_the_columns_that_decide_are_found(trained, tmp_path, capsys):
    assert run("columns", trained, "--repeats", 3, "--out", tmp_path / "columns.png") == 0
    first = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:5]]
    assert {"city"} <= {*first[:2]}
    assert first[-1] in ("noise", "income")
    assert (tmp_path / "columns.png").read_bytes().startswith(b"\x89PNG")
    assert run("explain", trained, "a text") == 2
    assert "Leave a text out" in said(capsys)
    assert run("explain", trained, "--out", tmp_path / "same.png") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:5]] == first


def test_the_saved_model_takes_named_columns_that_may_be_missing(trained):
    predictor = load_predictor(trained)
    names = [spec.name for spec in predictor.signature.inputs]
    assert names == ["age_years", "noise", "income", "city"]
    city = predictor.signature.inputs[-1]
    assert city.labels == ("?", "Bonn", "Kiel", "Ulm")
    assert (city.default, predictor.signature.inputs[0].default) == (0, MISSING)
    nothing = {spec.name: torch.full((2,), spec.default).to(getattr(torch, spec.dtype)) for spec in
               predictor.signature.inputs}  # fmt: skip
    probability = predictor.predict(nothing)["probability"]
    torch.testing.assert_close(probability.sum(1), torch.ones(2))


def test_a_number_is_predicted_in_its_own_unit(table, tmp_path, capsys):
    words = ["--data", f"table:{table}", *TINY, "--loader.target", "income"]
    assert run("train", "tabular-mlp", *words, "--out", tmp_path / "run") == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["r2"] > 0.7
    assert result["rmse"] < result["rmse_mean"]
    assert run("estimate", tmp_path / "run", table) == 0
    assert float(capsys.readouterr().out.splitlines()[-1].split()[-1]) > 1000
    assert run("columns", tmp_path / "run", "--repeats", 2) == 0
    assert "RMSE gained" in capsys.readouterr().out


def test_tables_that_cannot_be_used_are_explained(table, tmp_path, capsys):
    few, same, bad = (tmp_path / f"{name}.csv" for name in ("few", "same", "bad"))
    few.write_text("a,b\n1,x\n2,y\n3,x\n4,y\n")
    same.write_text("a,b\n1,x\n2,x\n3,x\n")
    bad.write_text("a,b\n" + "".join(f"{i},{'xy'[i % 2]}\n" for i in range(60)) + "??,x\n5,\n")
    for data, words, sentence in (
        (few, [], "10 of each are the fewest"),
        (same, [], "1 different values"),
        (bad, [], "line 62 has the a '??', which is no number up to 1e+30, line 63 has no b"),
        (table, ["--loader.target", "bougt"], "Did you mean 'bought'?"),
        (table, ["--net.heads", 5], "does not divide"),
        (tmp_path / "none.csv", [], "There is no file"),
    ):
        assert run("train", "tabular", "--data", f"table:{data}", "--dry-run", *TINY, *words) == 2
        assert sentence.lower() in said(capsys).lower()
    assert run("train", "tabular", "--data", f"table:{bad}", "--dry-run", "--skip-bad", *TINY) == 0
    assert run("train", "tabular", "--data", "reviews:pairs=10", "--dry-run") == 2
    assert run("check", f"table:{table}", "--loader.target", "city", "--skip-bad") == 0
    assert "income" in capsys.readouterr().out
    assert run("train", "lm", "--data", f"table:{table}", "--dry-run") == 2
    assert "Use the recipe tabular" in said(capsys)


@pytest.mark.parametrize("data", ["iris", "wine", "breast-cancer"])
def test_the_bundled_tables_are_divided_by_the_seed(data):
    from torchworks.seq_models.data.table_config import TableConfig
    from torchworks.shared.data import labels_of, open_source

    first, again, other = (open_source(data, TableConfig(), seed) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert len(first.test) == pytest.approx(0.2 * (len(first.test) + len(first.train)), abs=2)
    assert labels_of(first.test).unique().tolist() == labels_of(first.train).unique().tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_is_exported_for_any_number_of_rows(kind):
    torch.manual_seed(0)
    columns = Columns(("a", "b"), {"c": ("?", "x", "y")}, ("no", "yes", "maybe"))
    scaling = Scaling((0.0, 10.0), (1.0, 5.0))
    net = {"kind": kind, "width": 8, "depth": 2, "heads": 2, "drop_rate": 0.1}
    predictor = build_tabular({"net": net, **plain(columns), "scaling": scaling.to_dict()})

    def make(sizes):
        rows = sizes["N"]
        numbers = [torch.randn(rows) for _ in range(2)]
        numbers[0][::2] = MISSING
        return (*numbers, torch.arange(rows) % 3)

    check_predictor(predictor, make)


def test_a_missing_number_has_a_token_of_its_own():
    tokens = FeatureTokenizer(1, [], 4)
    one = torch.ones(1, 1)
    absent, zero = (tokens(0 * one, known, torch.zeros(1, 0).long()) for known in (0 * one, one))
    assert not torch.equal(absent, zero)
    torch.testing.assert_close(zero[0, 1], tokens.bias[0])


def test_the_verdict_says_when_trees_win():
    columns = Columns(("a",), {}, ("x", "y"))
    others = {"accuracy_majority": 0.5, "accuracy_forest": 0.9, "accuracy_boosting": 0.95, "accuracy_linear": 0.6}
    assert verdict({"accuracy": 0.9}, others, columns) == (
        "Boosted trees are better on the test part: accuracy 0.95, the model 0.9."
    )
    assert verdict({"accuracy": 0.97}, others, columns).startswith("The model is best")
    assert verdict({"accuracy": 0.95}, others, columns).startswith("Boosted trees is as good")
