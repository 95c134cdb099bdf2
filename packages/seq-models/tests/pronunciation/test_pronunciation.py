"""Pronunciation from the command line: trained on a language of simple rules, saved, used."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.models.aligned_seq2seq import AlignedSeq2Seq
from torchworks.seq_models.pronunciation.alignment import Aligner
from torchworks.seq_models.pronunciation.baselines import LetterTable
from torchworks.seq_models.pronunciation.decoding import Chooser, pronounced, search
from torchworks.seq_models.pronunciation.joint import JointNGram, aligned_json, joint_from_json
from torchworks.seq_models.pronunciation.metrics import distance, scores
from torchworks.seq_models.pronunciation.predictor import TOKENIZER, build_pronunciation
from torchworks.shared.cli import main
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing import check_predictor
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.text import Characters

SOUNDS = {"b": "B", "d": "D", "k": "K", "n": "N", "a": "AA", "i": "IY", "u": "UW", "x": "K S", "e": ""}
"""A language in which each letter has its sounds, but x has two, e none, and g is JH before i, else G."""
SIZES = (
    "--net.embed-dim", 16, "--net.hidden-dim", 24, "--net.decoder-dim", 32, "--net.depth", 1, "--net.drop-rate", 0,
    "--trainer.batch-size", 32,
)  # fmt: skip


def said(word: str) -> str:
    sounds = [
        ("JH" if word[i + 1 : i + 2] == "i" else "G") if letter == "g" else SOUNDS[letter]
        for i, letter in enumerate(word)
    ]
    return " ".join(filter(None, sounds))


WORDS = ["".join(each) for each in product("bdkngx", "aiu", "bdkng", "aiue")]
PAIRS = [(word, said(word)) for word in WORDS]


def run(*words: object) -> int:
    return main("seq-models", "pronounce", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("data") / "rules.dict"
    file.write_text("".join(f"{word} {sounds}\n" for word, sounds in PAIRS))
    return file


@pytest.fixture(scope="module")
def trained(dictionary: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "pronounce"
    words = ("--data", f"pronunciations:{dictionary}", "--steps", 120, "--optim.lr", 2e-2, "--optim.warmup", 5)
    assert run("train", "pronounce", *words, *SIZES, "--precision", "fp32", "--out", folder) == 0
    return folder


# ---- alignment ---------------------------------------------------------------------------------------------


def test_letters_are_aligned_with_the_sounds_they_make():
    aligned = dict(zip(WORDS, Aligner(PAIRS).align(PAIRS), strict=True))
    assert aligned["xake"] == ["K S", "AA", "K", ""]
    assert aligned["gigi"] == ["JH", "IY", "JH", "IY"]
    assert all(" ".join(filter(None, units or [])) == said(word) for word, units in aligned.items())


def test_what_no_alignment_fits_is_left_out():
    assert Aligner(PAIRS).align([("w", "W"), ("ba", "B AA B AA B"), ("ba", "B ZZ"), ("ba", "B AA")]) == [
        None, None, None, ["B", "AA"],
    ]  # fmt: skip


# ---- scores and baselines ----------------------------------------------------------------------------------


def test_any_pronunciation_of_a_word_counts_and_errors_are_those_of_the_nearest():
    words = {"read": ["R EH D", "R IY D"], "cat": ["K AE T"], "lost": ["L AO S T"]}
    found = scores({"read": "R IY D", "cat": "K AE P T"}, words)
    assert found == {"word_error": 2 / 3, "sound_error": 5 / 10}
    assert distance("kitten", "sitting") == 3


def test_an_ngram_of_letters_with_sounds_knows_what_a_letter_table_knows():
    known = [(word, units) for word, units in zip(WORDS, Aligner(PAIRS).align(PAIRS), strict=True) if units]
    model, table = JointNGram(known, order=3), LetterTable(known)
    for word in ("bagin", "xugi", "kanege"):
        assert model.pronounce(word) == table.pronounce(word) == said(word)


def test_ngrams_give_each_words_probability_whatever_is_asked_with_it():
    known = [(word, units) for word, units in zip(WORDS, Aligner(PAIRS).align(PAIRS), strict=True) if units]
    model = JointNGram(known, order=3)
    asked = [known[5], ("xake", ["K S", "AA", "K", ""]), ("ba", ["B", "K S"])]
    together = model.log_probabilities(asked)
    assert together.tolist() == pytest.approx([float(model.log_probabilities([each])[0]) for each in asked])
    steps, history = 0.0, (0,)
    for pair in [*zip(*asked[1], strict=True), None]:
        number = 0 if pair is None else model.numbers[pair]
        steps += float(np.log(model.model.distribution(history[-2:])[number]))
        history = (*history, number)
    assert together[1] == pytest.approx(steps)
    assert together[2] < together[1] - 10  # no letter a made K S
    again = joint_from_json(aligned_json(known))
    assert again.pronounce("bagin") == said("bagin")


def test_ngrams_that_are_no_ngrams_are_refused():
    with pytest.raises(UserError, match="Train again"):
        joint_from_json(b'[["ba", "B"]]')


def test_ngrams_choose_among_what_a_net_finds():
    torch.manual_seed(1)
    letters = {sign: i for i, sign in enumerate("bdkngxaiue", 1)}
    known = [(word, units) for word, units in zip(WORDS, Aligner(PAIRS).align(PAIRS), strict=True) if units]
    names = ["", "-", "B", "D", "AA", "K", "N", "G", "JH", "IY"]
    net = AlignedSeq2Seq(11, len(names), embed_dim=4, hidden_dim=4, decoder_dim=6, depth=1).eval()
    words = ["bad", "nib"]
    rows = [[letters[sign] for sign in word] for word in words]
    chooser = Chooser(JointNGram(known, order=3), 0.9)
    found = pronounced(net, rows, names, 9**3, words=words, chooser=chooser)
    assert [each[0].sounds for each in found] == ["B AA D", "N IY B"]
    assert sum(each.probability for each in found[0]) == pytest.approx(1)


# ---- the search --------------------------------------------------------------------------------------------


def test_a_wide_search_finds_the_likeliest_of_all():
    torch.manual_seed(1)
    net = AlignedSeq2Seq(6, 4, embed_dim=4, hidden_dim=4, decoder_dim=6, depth=1).eval()
    letters = torch.tensor([[1, 2, 3], [5, 4, 2]])
    units, logs = search(net, letters, 27)
    every = torch.tensor([*product((1, 2, 3), repeat=3)])
    for row in range(2):
        with torch.no_grad():
            logits = net(letters[row].expand(27, -1), every)
        logits[..., 0] = -torch.inf
        all_logs = logits.log_softmax(2).gather(2, every[..., None]).sum((1, 2))
        best = all_logs.argsort(descending=True)
        assert units[row, :5].tolist() == every[best[:5]].tolist()
        torch.testing.assert_close(logs[row], all_logs[best])
    (spoken, _) = pronounced(net, letters.tolist(), ("", "-", "A", "B"), 27)
    assert sum(each.probability for each in spoken) == pytest.approx(1, abs=1e-5)
    assert len({each.sounds for each in spoken}) == len(spoken)


# ---- a run -------------------------------------------------------------------------------------------------


def test_the_rules_are_learned_and_scores_stand_beside_those_of_baselines(trained: Path):
    result = json.loads((trained / "result.json").read_text())
    assert result["word_error"] < 0.1
    assert result["sound_error"] < 0.05
    assert result["with_ngrams_word_error"] < 0.1
    assert {"nearest_word_word_error", "letter_table_word_error", "ngram_word_error"} <= {*result}


def test_words_are_pronounced_with_probabilities_and_the_dictionarys_words_are_named(trained: Path, capsys):
    known = next(iter(json.loads((trained / "dictionary.json").read_text())))
    assert run("pronounce", trained, known.upper(), "nagixa", "--n", 2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == known
    assert f"  dictionary {said(known)}" in lines
    place = lines.index("nagixa")
    assert lines[place + 1].split("%")[1].strip() == said("nagixa")
    assert len(lines) - place == 3


def test_words_that_cannot_be_pronounced_are_named_once_the_others_are_done(trained: Path, tmp_path: Path, capsys):
    file = tmp_path / "words.txt"
    file.write_text("bagi nabu\n" + "ba" * 30 + "\n")
    assert run("pronounce", trained, "42", "ba du", "--file", file) == 2
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "bagi"
    said_of = " ".join(err.split())
    assert "word 1 has no letter that the model knows (42)" in said_of
    assert "word 2 is several words" in said_of
    assert "has 60 letters, but the model reads 40 at most" in said_of
    assert "3 of 5" in said_of


def test_evaluate_scores_the_test_part_or_another_dictionary(trained: Path, dictionary: Path, tmp_path: Path, capsys):
    assert run("evaluate", trained, "--out", tmp_path / "own") == 0
    result = json.loads((trained / "result.json").read_text())
    again = json.loads((tmp_path / "own" / "evaluation.json").read_text())
    assert again["word_error"] == pytest.approx(result["word_error"])
    assert again["words_that_were_learned"] == 0
    assert again["word_error_with_ngrams"] == pytest.approx(result["with_ngrams_word_error"])
    assert run("evaluate", trained, "--data", f"pronunciations:{dictionary}", "--out", tmp_path / "other") == 0
    assert json.loads((tmp_path / "other" / "evaluation.json").read_text())["n"] == len(WORDS)


def test_the_saved_model_answers_alike_whatever_padding_follows(trained: Path):
    assert check_golden(trained) < 1e-5
    predictor = load_predictor(trained)
    short = predictor.predict({"text": torch.tensor([[3, 4]])})
    padded = predictor.predict({"text": torch.tensor([[3, 4, 0, 0], [4, 5, 6, 3]])})
    assert padded["sounds"][0].tolist() == [*short["sounds"][0].tolist(), 0, 0]
    torch.testing.assert_close(padded["probability"][:1], short["probability"])


@pytest.mark.slow
def test_the_predictor_exports_for_words_of_any_length():
    net = {"embed_dim": 4, "hidden_dim": 4, "decoder_dim": 6, "depth": 1, "drop_rate": 0.0}
    config = {"units": ["", "", "A", "B C"], "longest": 12, "net": net}
    torch.manual_seed(0)
    predictor = build_pronunciation(config, {TOKENIZER: Characters.train(["abc"]).to_json()})
    check_predictor(predictor, lengths={"T": (1, 5, 12)})


@pytest.mark.long
def test_killed_and_resumed_it_ends_with_the_very_same_weights(dictionary: Path, tmp_path: Path):
    train = [
        "-m", "torchworks.seq_models", "train", "pronounce", "--data", f"pronunciations:{dictionary}",
        "--precision", "fp32", "--steps", "30", "--trainer.eval-every", "10", "--trainer.checkpoint-every", "4",
        "--trainer.log-every", "1", *map(str, SIZES),
    ]  # fmt: skip
    killed_and_resumed(train, tmp_path)
