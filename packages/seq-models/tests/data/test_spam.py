"""Spam whose words are disguised."""

import random
from collections import Counter

import pytest

from torchworks.seq_models.classification.baselines import pipelines
from torchworks.seq_models.data.spam import SEPARATORS, SIMILAR, WORDS, Writer, messages
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import labels_of, open_source
from torchworks.shared.data.texts import texts_in


def test_signs_and_separators_of_the_test_part_do_not_occur_in_training():
    train, test = ({sign for text in SIMILAR[part].values() for sign in text} | {*SEPARATORS[part]} for part in SIMILAR)
    assert not train & test
    source = open_source("spam:train=600,test=200", LoaderConfig())
    assert not test & {sign for text in texts_in(source.train) for sign in text}
    assert {"€", "|", "*"} & {sign for text in texts_in(source.test) for sign in text}


@pytest.mark.parametrize("part", SIMILAR)
def test_a_disguised_word_is_never_as_it_was(part):
    writer = Writer(part, 1.0, random.Random(0))
    for word in (*WORDS["spam"], *WORDS["ham"]):
        assert all(writer.disguised(word) != word for _ in range(20))


def test_only_what_a_message_is_about_tells_the_classes_apart():
    rows, about = messages(4000, "train", 0, 0), {*WORDS["spam"], *WORDS["ham"]}
    ham, spam = (
        Counter(word for text, label in rows if label == name for word in text.split() if word not in about)
        for name in ("ham", "spam")
    )
    assert ham.keys() == spam.keys()
    assert all(0.7 < ham[word] / spam[word] < 1.4 for word in ("the", "dollars", "meet", "chance"))
    for text, label in rows:
        assert {*text.split()} & about <= {*WORDS[label]}


def test_words_lose_against_characters_where_the_disguise_is_new():
    source = open_source("spam:train=2000,test=600", LoaderConfig())
    (texts, labels), (test_texts, test_labels) = (
        ([*texts_in(part)], labels_of(part).numpy()) for part in (source.train, source.test)
    )
    scores = {name: each.fit(texts, labels).score(test_texts, test_labels) for name, each in pipelines().items()}
    assert scores["tfidf_characters"] > scores["nb_lr"] + 0.05
    assert scores["nb_lr"] < 0.85


def test_mistaken_options_are_explained():
    with pytest.raises(UserError, match="from 0 to 100"):
        open_source("spam:disguise=101", LoaderConfig())
