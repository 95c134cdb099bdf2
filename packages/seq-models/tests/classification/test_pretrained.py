"""Classifiers that begin with MiniLM's weights: trained with the extra, used without it."""

import json

import pytest
import torch

from torchworks.seq_models.classification.config import ClassifierConfig
from torchworks.seq_models.classification.pretrained import as_vectors, check_options, minilm_parts
from torchworks.seq_models.classification.recipes import classify_minilm
from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.tokens import tokenized
from torchworks.seq_models.models.minilm import load_minilm, minilm_tokenizer
from torchworks.shared.cli import main
from torchworks.shared.config import TextConfig, UserError
from torchworks.shared.data import open_source
from torchworks.shared.models.predictor import check_golden, load_predictor

PACKAGE = "torchworks.seq_models.models.minilm.PACKAGE"
FOOD = ("a ripe plum", "fresh bread and butter", "the soup needs salt", "grilled fish", "a bowl of rice", "apple pie")
TRAVEL = ("the train to Rome", "a ticket for the ferry", "our flight is late", "pack the suitcase", "rent a car")


def run(*words: object) -> int:
    return main("seq-models", "classify-minilm", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def weights():
    try:
        return load_minilm()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "own.csv"
    rows = [f"{text},{label}\n" for label, texts in (("food", FOOD), ("travel", TRAVEL)) for text in texts]
    file.write_text("text,label\n" + "".join(rows))
    return file


@pytest.fixture
def missing(monkeypatch):
    """The extra is not installed."""
    monkeypatch.setattr(PACKAGE, "no-such-package-of-weights")


def words(table, recipe: str, steps: int, out) -> list[object]:
    return [
        "train", recipe, "--data", f"csv:{table}", "--device", "cpu", "--precision", "fp32", "--steps", steps,
        "--trainer.batch-size", 4, "--valid-fraction", 0, "--out", out,
    ]  # fmt: skip


def test_a_frozen_run_knows_words_that_it_was_not_trained_on_and_is_used_without_the_extra(
    weights, table, tmp_path, capsys, monkeypatch
):
    assert run(*words(table, "classify-minilm-frozen", 60, tmp_path / "run")) == 0
    monkeypatch.setattr(PACKAGE, "no-such-package-of-weights")
    assert run("classify", tmp_path / "run", "roast potatoes", "a map of the airport", "--top", 1) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[-2:]] == ["food", "travel"]
    assert run("evaluate", tmp_path / "run", "--out", tmp_path / "scores") == 0
    assert check_golden(tmp_path / "run") < 1e-4
    ours = load_predictor(tmp_path / "run").net.bert.state_dict()
    published = weights[0].state_dict()
    assert all(torch.equal(ours[name], published[name][: len(ours[name])]) for name in ours)
    saved = json.loads((tmp_path / "run" / "model.json").read_text())
    assert saved["preprocessing"] == {"text": {"tokenizer": "tokenizer.json"}}
    assert all(len(entry["sha256"]) == 64 for entry in saved["files"] if entry["name"] == "tokenizer.json")


def test_fine_tuning_moves_all_layers(weights, table, tmp_path):
    assert run(*words(table, "classify-minilm", 2, tmp_path / "run")) == 0
    ours, published = load_predictor(tmp_path / "run").net.bert.state_dict(), weights[0].state_dict()
    for name in ("embeddings.word_embeddings.weight", "encoder.layer.0.output.dense.weight"):
        assert not torch.equal(ours[name], published[name])


def test_vectors_do_not_depend_on_what_is_computed_beside_them(weights, table):
    net, tokenizer = minilm_parts(classify_minilm(), 2)
    part = tokenized(open_source(f"csv:{table}", TextConfig()).train, tokenizer, 128)
    vectors = as_vectors(net, part, torch.device("cpu")).tensors["vector"]
    with torch.no_grad():
        alone = torch.cat([net.vectors(part[i]["tokens"][None]) for i in range(len(part))])
    torch.testing.assert_close(vectors, alone, rtol=0, atol=1e-4)


def test_the_tokenizer_is_the_one_of_the_weights(weights):
    import tokenizers

    theirs = tokenizers.Tokenizer.from_file(str(weights[1] / "tokenizer.json"))
    theirs.no_padding()
    for text in (*FOOD, "Naïve café – 3½ unbelievableness!", ""):
        assert minilm_tokenizer().encode(text) == theirs.encode(text).ids


def test_a_missing_extra_is_one_sentence(missing, table, tmp_path, capsys):
    assert run(*words(table, "classify-minilm", 2, tmp_path / "run")) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "Install the extra 'minilm' of seq-models" in said
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()


def test_options_that_contradict_the_published_weights_are_named():
    with pytest.raises(
        UserError, match=r"does not go with --net.architecture cnn, --tokenizer words, --net.embed-dim 64"
    ):
        check_options(ClassifierConfig(pretrained="minilm"))
    with pytest.raises(
        UserError, match="--frozen keeps published weights as they are, so it needs --pretrained minilm"
    ):
        check_options(ClassifierConfig(frozen=True))
    assert run("train", "classify-minilm", "--longest", 513, "--dry-run") == 2
