"""Classification from the command line: trained, saved, used; what cannot be used harms nothing else."""

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from torchworks.seq_models.classification.config import ClassifierConfig, NetConfig
from torchworks.seq_models.classification.nets import OPTIONS, new_net
from torchworks.seq_models.classification.predictor import build_classifier
from torchworks.seq_models.classification.task import Classification
from torchworks.seq_models.commands import COMMANDS
from torchworks.shared.cli import main
from torchworks.shared.config import UserError, to_dict
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing import check_predictor
from torchworks.shared.text import Words

STEPS = 200
TRAIN = (
    "train", "classify-text", "--data", "reviews:pairs=1500,test_pairs=100,difficulty=1", "--steps", STEPS,
    "--precision", "fp32", "--trainer.eval-every", 50, "--net.embed-dim", 32, "--net.filters", 32,
    "--optim.lr", 5e-3, "--net.drop-rate", 0.1,
)  # fmt: skip
ARCHITECTURES = pytest.mark.parametrize("architecture", OPTIONS)
GOOD = "the screen was dull , but the ending was superb ."


def run(*words: object) -> int:
    return main("seq-models", "classify-text", COMMANDS, [str(word) for word in words])


def read_table(file: Path) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"), newline=""))]


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps."""
    folder = tmp_path_factory.mktemp("runs") / "classify"
    assert run(*TRAIN, "--out", folder) == 0
    return folder


# ---- the run -----------------------------------------------------------------------------------------------


def test_a_short_training_beats_bags_of_words(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["steps"] == STEPS
    assert result["accuracy_tfidf"] == result["accuracy_majority_class"] == 0.5
    assert result["accuracy"] > 0.7


def test_the_saved_model_answers_as_it_did_when_it_was_saved_and_is_calibrated(trained):
    assert check_golden(trained) < 1e-5
    saved = json.loads((trained / "model.json").read_text())
    assert 0.1 <= saved["config"]["temperature"] <= 10
    assert {"tokenizer.json", "model.safetensors"} <= {entry["name"] for entry in saved["files"]}


@pytest.mark.parametrize("tokenizer", ["characters", "bytes", "wordpiece"])
def test_each_tokenizer_trains_and_is_saved_with_the_model(tokenizer, tmp_path, capsys):
    data = tmp_path / "own.csv"
    data.write_text("text,label\n" + "".join(f"yes it is {i},a\nno it is {i},b\n" for i in range(30)))
    words = (
        "--data",
        f"csv:{data}",
        "--tokenizer",
        tokenizer,
        "--vocabulary",
        300,
        "--steps",
        40,
        "--precision",
        "fp32",
    )
    assert run("train", "classify-text", *words, "--out", tmp_path / "run") == 0
    assert run("classify", tmp_path / "run", "yes it is 7", "no it is 7", "--top", 1) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split()[0] for line in lines] == ["a", "b"]


def test_data_without_texts_are_refused(manual, capsys):
    assert run("train", "classify-text", "--data", "manual", "--dry-run") == 2
    assert "needs texts" in said(capsys) or "needs text" in said(capsys)


def test_data_of_one_class_are_refused(tmp_path, capsys):
    (tmp_path / "one.csv").write_text("text,label\na,x\nb,x\nc,x\n")
    assert run("train", "classify-text", "--data", f"csv:{tmp_path / 'one.csv'}", "--dry-run") == 2
    assert "only the class x" in said(capsys)


# ---- the nets ----------------------------------------------------------------------------------------------


def small(architecture: str) -> dict:
    options = {"embed_dim": 8, "filters": 5, "widths": (1, 3), "hidden_dim": 6, "num_heads": 2, "ff_dim": 16}
    return to_dict(NetConfig(architecture=architecture, **options))


@ARCHITECTURES
def test_the_predictor_exports_whole_for_texts_of_any_length(architecture):
    files = {"tokenizer.json": Words.train(["one two three four five six"]).to_json()}
    config = {"classes": ["a", "b"], "longest": 12, "net": small(architecture), "temperature": 1.5}
    for lengths in ((1, 5), (8, 12)):
        torch.manual_seed(0)
        predictor = build_classifier(config, files)
        check_predictor(
            predictor, lambda sizes: (torch.randint(1, 8, (sizes["N"], sizes["T"])),), lengths={"T": lengths}
        )


@ARCHITECTURES
def test_a_row_answers_the_same_alone_as_padded_in_a_batch(architecture):
    torch.manual_seed(0)
    net = new_net(small(architecture), 20, 3, 16).eval().double()
    rows = [torch.randint(1, 20, (length,)) for length in (1, 4, 9)]
    padded = torch.stack([F.pad(row, (0, 12 - len(row))) for row in rows])
    alone = torch.cat([net(row[None]) for row in rows])
    torch.testing.assert_close(net(padded), alone, rtol=1e-9, atol=1e-9)


def test_heads_that_do_not_divide_the_embedding_are_explained():
    with pytest.raises(UserError, match=r"--net.num-heads 4 do not divide --net.embed-dim 30"):
        new_net(to_dict(NetConfig(architecture="transformer", embed_dim=30)), 10, 2, 8)


def test_tokens_are_hidden_in_training_but_never_padding():
    task = Classification(torch.nn.Identity(), lr=1e-3, weight_decay=0.0, unknown_rate=0.5, unknown=1)
    task.random = StepRandom(0).at(0, rows=64)
    tokens = torch.full((64, 10), 7)
    tokens[:, 6:] = 0
    hidden = task._with_unknown(tokens)
    assert (hidden[:, 6:] == 0).all()
    assert 0.4 < (hidden[:, :6] == 1).float().mean() < 0.6
    task.unknown_rate = 0.0
    assert task._with_unknown(tokens) is tokens


def test_every_recipe_has_a_docstring_with_its_command_and_a_net_that_can_be_built():
    from torchworks.shared.config import recipes

    own = {name: make for name, make in recipes("seq-models").items() if name.startswith("classify-")}
    own = {name: make for name, make in own.items() if not name.startswith("classify-series")}
    assert len(own) >= 4
    for name, make in own.items():
        config = make()
        assert f"seq-models train {name}" in (make.__doc__ or "")
        assert isinstance(config, ClassifierConfig)
        assert config.recipe == name
        new_net(to_dict(config.net), 50, 2, config.longest)


# ---- classify ----------------------------------------------------------------------------------------------


def test_a_class_is_printed_for_each_text_and_written_to_a_table(trained, capsys, tmp_path):
    table = tmp_path / "new" / "answers.csv"
    assert run("classify", trained, GOOD, "the plot was dull", "--out", table) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(GOOD)
    assert {lines[0].split()[0], lines[0].split()[2]} == {"negative", "positive"}
    rows = read_table(table)
    assert [row["text"] for row in rows] == [GOOD, "the plot was dull"]
    for row in rows:
        assert float(row["negative"]) + float(row["positive"]) == pytest.approx(1, abs=1e-5)
        assert row["label"] == max(("negative", "positive"), key=lambda name: float(row[name]))
    assert run("classify", trained, GOOD, "--out", table) == 2
    assert "--overwrite" in said(capsys)


BAD = [
    ("", "text 1 is empty"),
    (" \n\t", "text 1 is empty"),
    ("but " * 257, "text 1 has 257 tokens, but the model reads 256 at most"),
    ("qqq zzzz", "text 1 has nothing that the model knows from its training ('qqq zzzz')"),
    ("caf\udce9", "text 1 is not UTF-8"),
    ("\ufeff\u200b", "text 1"),
]


@pytest.mark.parametrize(("text", "complaint"), BAD)
def test_a_text_that_cannot_be_used_is_named_and_its_neighbor_answered_as_if_alone(trained, capsys, text, complaint):
    assert run("classify", trained, GOOD) == 0
    alone = capsys.readouterr().out
    assert run("classify", trained, text, GOOD) == 2
    printed = capsys.readouterr()
    assert printed.out == alone
    assert complaint in " ".join(printed.err.split())
    assert "The others are done." in " ".join(printed.err.split())


def test_texts_are_read_from_lines_and_tables(trained, capsys, tmp_path):
    lines, table = tmp_path / "texts.txt", tmp_path / "texts.csv"
    lines.write_bytes(b"\xef\xbb\xbfthe plot was dull\r\nb\xe9d\n\nthe ending was superb\n")
    assert run("classify", trained, "--file", lines) == 2
    printed = capsys.readouterr()
    assert [line.split("  ")[-1] for line in printed.out.splitlines()] == ["the plot was dull", "the ending was superb"]
    for complaint in ("2 of 4", "line 2 is not UTF-8: it has the byte 0xe9", "line 3 is empty"):
        assert complaint in " ".join(printed.err.split())
    table.write_text('id,text\n1,"the plot was dull, but"\n2,the ending was superb\n')
    assert run("classify", trained, "--file", table) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_row_that_is_no_json_is_named_and_the_others_classified(trained, capsys, tmp_path):
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": GOOD}) + '\nno\n{"label": 1}\n')
    assert run("classify", trained, "--file", tmp_path / "rows.jsonl") == 2
    captured = capsys.readouterr()
    assert GOOD[:40] in captured.out
    error = " ".join(captured.err.split())
    for complaint in ("2 of 3", "rows.jsonl, line 2 is no JSON", "line 3 must be an object with 'text'"):
        assert complaint in error


def test_files_that_hold_no_texts_are_named(trained, capsys, tmp_path):
    binary, table = tmp_path / "binary", tmp_path / "table.csv"
    binary.write_bytes(b"PK\x03\0\0text")
    table.write_text("words\na\n")
    for file, complaint in (
        (binary, "is a binary file"),
        (table, "lacks the column text"),
        (tmp_path / "none.txt", "There is no file"),
        (tmp_path, "is a folder"),
    ):
        assert run("classify", trained, "--file", file) == 2
        assert complaint in said(capsys)


def test_no_text_at_all_is_explained(trained, capsys):
    assert run("classify", trained) == 2
    assert "No text was given" in said(capsys)
    assert run("classify", trained, "a", "--top", 0) == 2
    assert "--top" in said(capsys)


# ---- evaluate and explain ----------------------------------------------------------------------------------


def test_an_evaluation_has_scores_plots_and_errors(trained, capsys, tmp_path):
    assert run("evaluate", trained, "--out", tmp_path) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    result = json.loads((trained / "result.json").read_text())
    assert found["accuracy"] == pytest.approx(result["accuracy"])
    assert found["accuracy_nb_lr"] == result["accuracy_nb_lr"]
    assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
    assert sum(row["texts"] for row in found["classes"]) == found["n"] == 200
    for name in ("confusion.png", "calibration.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    errors = read_table(tmp_path / "errors.csv")
    assert len(errors) == round(200 * (1 - found["accuracy"]))
    assert all(row["predicted"] != row["label"] for row in errors)
    confidence = [float(row["confidence"]) for row in errors]
    assert confidence == sorted(confidence, reverse=True)


def test_other_data_are_scored_if_their_classes_are_known(trained, capsys, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("text,label\nthe ending was superb,positive\n")
    assert run("evaluate", trained, "--data", f"csv:{own}", "--out", tmp_path) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["n"] == 1
    assert "accuracy_nb_lr" not in found
    own.write_text("text,label\na,positive\nb,neutral\nc,neutral\n")
    assert run("evaluate", trained, "--data", f"csv:{own}", "--out", tmp_path) == 2
    assert "evaluation.json exists already, and so do 3 more files there. Pass --overwrite" in said(capsys)
    assert run("evaluate", trained, "--data", f"csv:{own}", "--out", tmp_path, "--overwrite") == 2
    assert "not trained on: neutral. It knows negative, positive" in said(capsys)


def test_words_are_explained_and_drawn(trained, capsys, tmp_path):
    picture = tmp_path / "words.png"
    assert run("explain", trained, GOOD, "--out", picture) == 0
    printed = capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(printed.splitlines()) == 3
    assert "superb" in printed.splitlines()[1] or "dull" in printed.splitlines()[1]


def test_without_texts_the_most_confident_errors_and_the_most_telling_words_are_shown(trained, capsys):
    assert run("explain", trained, "--n", 2) == 0
    printed = capsys.readouterr().out
    assert printed.count(" (is ") == 4
    assert printed.splitlines()[0].startswith("negative: ")
    assert (trained / "words.png").exists()
    assert run("explain", trained, GOOD) == 2
    assert "words.png exists already. Pass --overwrite" in said(capsys)


def test_a_run_that_is_no_classifier_is_named(trained, capsys, tmp_path):
    manifest = json.loads((trained / "model.json").read_text())
    (tmp_path / "config.json").write_text((trained / "config.json").read_text())
    for entry in manifest["files"]:
        (tmp_path / entry["name"]).write_bytes((trained / entry["name"]).read_bytes())
    manifest["config"]["net"] = {}
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    assert run("classify", tmp_path, GOOD) == 2
    assert "seq-models-classifier" in said(capsys)
