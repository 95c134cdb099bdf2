"""Word vectors from the command line: trained, saved, used."""

import json
import random

import numpy as np
import pytest
import torch

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.embedding.baselines import ppmi_svd, random_vectors
from torchworks.seq_models.embedding.metrics import affix_analogies, analogy_accuracy, chosen, cloze_questions
from torchworks.seq_models.embedding.plots import apart
from torchworks.seq_models.embedding.predictor import build_embedding
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing import check_predictor
from torchworks.shared.text import Words

TINY = [
    "--min-count", 1, "--embed-dim", 16, "--length", 8, "--trainer.batch-size", 16, "--trainer.steps", 150,
    "--trainer.eval-every", 75, "--sample", 0, "--precision", "fp32", "--optim.lr", 0.03,
]  # fmt: skip


def run(*words: object) -> int:
    return main("seq-models", "embed", COMMANDS, [str(word) for word in words])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    """A text of lines about one of five topics, each with twelve words of its own."""
    draw = random.Random(0)
    lines = []
    for _ in range(1500):
        topic = draw.choice(["sea", "sky", "sun", "ice", "oak"])
        lines.append(" ".join(f"{topic}{draw.choice('abcdefghijkl')}" for _ in range(8)) + "\n")
    path = tmp_path_factory.mktemp("text") / "topics.txt"
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="module", params=["embed", "embed-cbow", "embed-glove"])
def trained(request, tmp_path_factory, topics):
    folder = tmp_path_factory.mktemp("runs") / request.param
    more = ["--trainer.batch-size", 512] if request.param == "embed-glove" else []
    assert run("train", request.param, "--data", f"text:{topics}", "--out", folder, *TINY, *more) == 0
    return folder


def test_words_of_a_topic_are_found_to_be_alike(trained, capsys):
    result = json.loads((trained / "result.json").read_text())
    assert result["cloze_accuracy"] > 0.3
    assert result["cloze_accuracy_random"] < 0.2
    assert result["cloze_accuracy_ppmi_svd"] > 0.2
    assert run("embed", trained, "nearest", "SEAa", "seab", "--n", 5) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert sum(line.split()[1].startswith("sea") for line in lines) >= 4
    assert not {"seaa", "seab"} & {line.split()[1] for line in lines}


def test_the_saved_model_answers_as_the_command_does(trained, capsys):
    assert check_golden(trained) < 1e-5
    predictor = load_predictor(trained)
    words = Words.train([" ".join(predictor.signature.outputs[1].labels[2:])])
    assert len(words)
    names = predictor.signature.outputs[1].labels
    outputs = predictor.predict({"text": torch.tensor([[names.index("seaa")]])})
    assert run("embed", trained, "nearest", "seaa") == 0
    assert [names[i] for i in outputs["nearest"][0]] == [
        line.split()[1] for line in capsys.readouterr().out.splitlines()
    ]


def test_vectors_are_written_as_word2vec_does(trained, tmp_path):
    assert run("embed", trained, "vectors", "--out", tmp_path / "v.txt") == 0
    first, *lines = (tmp_path / "v.txt").read_text().splitlines()
    assert first == "60 16"
    assert len(lines) == 60
    assert all(len(line.split()) == 17 for line in lines)
    assert run("embed", trained, "vectors", "--out", tmp_path / "v.txt") == 2


def test_an_evaluation_compares_with_random_vectors_and_ppmi(trained, tmp_path, capsys):
    pairs, analogies = tmp_path / "pairs.csv", tmp_path / "questions.txt"
    pairs.write_text("word1,word2,score\nseaa,seab,9\nseaa,skya,1\nsunc,sund,8\nsunc,icea,2\nnone,seaa,5\n")
    analogies.write_text(": topic\nseaa seab skya skyb\nseaa none skya skyb\n")
    assert run("evaluate", trained, "--out", tmp_path, "--pairs", pairs, "--analogies", analogies) == 0
    printed = capsys.readouterr().out
    assert "of 5 pairs the model knows the words of 4" in printed
    assert "of 2 analogies the model knows the words of 1" in printed
    found = json.loads((tmp_path / "evaluation.json").read_text())
    result = json.loads((trained / "result.json").read_text())
    assert found["vectors"]["cloze_accuracy"] == pytest.approx(result["cloze_accuracy"])
    assert found["ppmi_svd"]["cloze_accuracy"] == pytest.approx(result["cloze_accuracy_ppmi_svd"])
    assert found["vectors"]["pairs_correlation"] > 0.5


def test_mistakes_are_explained(trained, tmp_path, capsys):
    bad = tmp_path / "bad.txt"
    bad.write_text("a b\n")
    for words, sentence in (
        (["embed", trained, "nearest", "seazz"], "does not know the word 'seazz'"),
        (["embed", trained, "nearest", "sea"], "The closest known words are sea"),
        (["embed", trained, "nearest", "two words"], "does not know the word 'two words'"),
        (["embed", trained, "nearest", ""], "does not know"),
        (["embed", trained, "nearest"], "No word was given"),
        (["embed", trained, "nearest", "seaa", "--n", 0], "--n is 0"),
        (["embed", trained, "map", "--n", 2], "shows nothing"),
        (["embed", trained, "map", "--out", tmp_path / "map.xyz"], "must end in"),
        (["evaluate", trained, "--pairs", bad], "line 1 has 2 words, but 3 belong there"),
        (["evaluate", trained, "--pairs", tmp_path / "none"], "There is no file"),
        (["embed", trained, "nearest", "seaa", "--out", bad], "leave out --out"),
        (["embed", trained, "vectors", "--out", bad], "bad.txt exists already"),
        (["evaluate", trained, "--data", "reviews:pairs=10"], ""),
    ):
        assert run(*words) == 2, words
        assert sentence in said(capsys)


def test_a_map_is_drawn(trained, tmp_path):
    assert run("embed", trained, "map", "seaa", "skyb", "--n", 20, "--out", tmp_path / "map.png") == 0
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_a_text_with_too_few_words_is_refused(tmp_path, capsys):
    (tmp_path / "short.txt").write_text("a b c\n" * 30)
    assert run("train", "embed", "--data", f"text:{tmp_path / 'short.txt'}", "--dry-run") == 2
    assert "Use a longer text" in said(capsys)


@pytest.mark.parametrize("method", ["skip-gram", "glove"])
def test_the_model_is_exported_for_any_number_of_words(method):
    torch.manual_seed(0)
    words = Words([f"word{i}" for i in range(40)])
    predictor = build_embedding({"method": method, "embed_dim": 8}, {"tokenizer.json": words.to_json()})
    check_predictor(predictor, lengths={"T": (1, 2, 5)})
    text = torch.tensor([[5, 6, 0, 0], [1, 0, 0, 0]])
    outputs = predictor.predict({"text": text})
    assert not {5, 6} & {*outputs["nearest"][0].tolist()}
    assert torch.equal(outputs["vector"][1], torch.zeros(8))  # nothing known
    alone = predictor.predict({"text": text[:1, :2]})
    torch.testing.assert_close(alone["vector"][0], outputs["vector"][0])


# ---- scores ----------------------------------------------------------------------------------------------


def test_the_missing_word_is_never_among_the_words_around_it():
    stream = np.random.default_rng(0).integers(2, 30, 2000).astype(np.int32)
    stream = np.pad(stream, 3)
    questions = cloze_questions(stream, 3, 500, seed=0)
    assert questions["text"].shape[1] == 6
    assert questions["candidates"].shape[1] == 10
    assert not (questions["text"][..., None] == questions["candidates"][:, None]).any()
    vectors = random_vectors(30, 50, 0)
    right = (chosen(vectors, questions["text"], questions["candidates"]) == 0).float().mean().item()
    assert 0.04 < right < 0.17  # chance


def test_analogies_of_spelling_are_found_by_vectors_that_have_them():
    names = ("<pad>", "<unk>", "file", "files", "line", "lines", "name", "names", "as", "a")
    analogies = affix_analogies(names)
    assert set(analogies) == {(a, a + 1, c, c + 1) for a in (2, 4, 6) for c in (2, 4, 6) if a != c}
    vectors = torch.zeros(10, 8)
    for pair in range(3):
        vectors[2 + 2 * pair : 4 + 2 * pair, pair] = 1
        vectors[3 + 2 * pair, 7] = 1
    assert analogy_accuracy(vectors, analogies) == 1
    assert analogy_accuracy(random_vectors(10, 8, 0), []) != 1


def test_ppmi_with_svd_puts_words_with_the_same_neighbors_together():
    import scipy.sparse

    counts = np.zeros((6, 6))
    counts[2, 4] = counts[3, 4] = counts[4, 2] = counts[4, 3] = 8.0
    counts[5, 5] = 8.0
    vectors = ppmi_svd(scipy.sparse.csr_array(counts), 3)
    torch.testing.assert_close(vectors[2], vectors[3], rtol=1e-4, atol=1e-5)


def test_labels_of_a_map_are_moved_apart():
    places = apart(np.random.default_rng(0).random((30, 2)) * 0.5, np.full(30, 0.06), 0.02)
    gap = np.abs(places[:, None] - places[None])
    clash = (gap[..., 0] < 0.055) & (gap[..., 1] < 0.018)
    assert clash.sum() == 30  # each with itself alone
