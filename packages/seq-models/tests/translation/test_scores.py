"""Scores of translations are those of sacrebleu; baselines do what they say."""

import random

import numpy as np
import pytest
import sacrebleu

from torchworks.seq_models.translation.baselines import Memory, baselines, nearest, word_table
from torchworks.seq_models.translation.metrics import bleu, chrf, scores
from torchworks.shared.text import ByteLevelBPE

WORDS = [
    "der",
    "die",
    "das",
    "Haus",
    "Baum",
    "rot",
    "grün",
    "steht",
    "läuft",
    "weg",
    "sehr",
    "nicht",
    "und",
    "ein",
    "eine",
]


def texts(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Sentences, and the same with some words changed, left out or doubled."""
    draw = random.Random(seed)
    wanted = [" ".join(draw.choices(WORDS, k=draw.randint(1, 12))) for _ in range(count)]
    found = [" ".join(word for word in text.split() for _ in range(draw.choice([0, 1, 1, 1, 1, 2]))) for text in wanted]
    return found, wanted


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [1, 3, 40])
def test_bleu_and_chrf_are_sacrebleus(count, seed):
    """In float64, to 1e-9."""
    found, wanted = texts(count, seed)
    theirs = sacrebleu.corpus_bleu(found, [wanted], tokenize="none", force=True).score / 100
    assert bleu(found, wanted) == pytest.approx(theirs, abs=1e-9)
    assert chrf(found, wanted) == pytest.approx(sacrebleu.corpus_chrf(found, [wanted]).score / 100, abs=1e-9)


def test_what_is_right_scores_1_and_nothing_scores_0():
    _, wanted = texts(40, 0)
    assert scores(wanted, wanted) == pytest.approx({"exact_match": 1, "bleu": 1, "chrf": 1})
    assert scores([""] * 40, wanted) == {"exact_match": 0, "bleu": 0, "chrf": 0}


def test_the_nearest_training_text_comes_first():
    train = ["good morning", "good evening", "see you", "yes"]
    assert nearest(train, ["good morning to you", "see"])[:, 0].tolist() == [0, 2]


def test_model_1_finds_which_words_belong_together():
    """the = 1, house = 2, book = 3 (Brown et al.'s example, as Koehn tells it): das Haus, das Buch, ein Buch."""
    pairs = [([1, 2], [5, 6]), ([1, 3], [5, 7]), ([4, 3], [8, 7])]
    table = word_table(pairs, 9)
    assert table[[1, 2, 3, 4]].argmax(1).tolist() == [5, 6, 7, 8]
    np.testing.assert_allclose(table[[1, 2, 3, 4]].sum(1), 1)


def test_the_memory_puts_right_what_differs():
    colors, things = ["red", "green", "blue", "black"], ["house", "tree", "car", "dog"]
    german = dict(zip(colors + things, ["rot", "grün", "blau", "schwarz", "Haus", "Baum", "Auto", "Hund"], strict=True))
    pairs = [(f"{c} {t}", f"{german[c]} {german[t]}") for c in colors for t in things if (c, t) != ("red", "dog")]
    tokenizer = ByteLevelBPE.train((text for pair in pairs for text in pair), size=400)
    memory = Memory(pairs, tokenizer)
    found = memory.translate("red dog", [pairs.index(("red car", "rot Auto")), pairs.index(("blue tree", "blau Baum"))])
    assert found == "rot Hund"
    result = baselines(pairs, [("red dog", "rot Hund")], tokenizer)
    assert result["nearest_exact_match"] == 0
    assert set(result) == {f"{a}_{b}" for a in ("nearest", "memory") for b in ("exact_match", "bleu", "chrf")}
