"""Reviews in which the order of words decides."""

from collections import Counter

import pytest

from torchworks.seq_models.classification.baselines import pipelines
from torchworks.seq_models.data.reviews import ASPECTS, FORMS, reviews, training_reviews
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import labels_of, open_source
from torchworks.shared.data.texts import texts_in

LEVELS = pytest.mark.parametrize("difficulty", [1, 2, 3])
CLASSES = ("negative", "positive")


def words(text: str) -> Counter[str]:
    return Counter(text.split())


@LEVELS
@pytest.mark.parametrize("test", [False, True])
def test_every_word_is_as_frequent_in_one_class_as_in_the_other_and_each_review_has_a_twin(difficulty, test):
    rows = reviews(300, difficulty, 0, test=test)
    negative, positive = (
        Counter(word for text, label in rows if label == name for word in text.split()) for name in CLASSES
    )
    assert negative == positive
    for (one, first), (other, second) in zip(rows[::2], rows[1::2], strict=True):
        assert one != other
        assert words(one) == words(other)
        assert {first, second} == {*CLASSES}


@LEVELS
def test_no_bag_of_words_or_of_pairs_of_words_is_right_for_more_than_60_percent(difficulty):
    (texts, labels), (test_texts, test_labels) = (
        zip(*reviews(count, difficulty, 0, test=test), strict=True) for count, test in ((2000, False), (500, True))
    )
    scores = {name: pipelines()[name].fit(texts, labels).score(test_texts, test_labels) for name in ("tfidf", "nb_lr")}
    assert scores["tfidf"] == 0.5
    assert scores["nb_lr"] <= 0.6


@LEVELS
def test_the_test_part_has_aspects_and_reviews_of_its_own(difficulty):
    train, test = (reviews(400, difficulty, 0, test=test) for test in (False, True))
    seen, asked = ({word for text, _ in rows for word in text.split()} & {*ASPECTS} for rows in (train, test))
    assert seen
    assert asked
    assert not seen & asked
    assert not {text for text, _ in train} & {text for text, _ in test}


def test_the_verdict_is_that_of_the_deciding_opinion():
    """What follows "but" in one form, what "i" say in another, and the opposite of what is denied."""
    good, bad = {"superb", "gripping", "charming", "brilliant", "lovely"}, {"dull", "clumsy", "awful", "bland"}
    checked = 0
    for text, label in reviews(3000, 1, 0, test=False):
        for before, turned in ((" , but the ", False), (" , i say the ", False), (" , i deny that the ", True)):
            last = text.split()[-2]
            if before in text and last in good | bad:
                assert (label == "positive") == ((last in good) != turned), text
                checked += 1
    assert checked > 100


def test_forms_come_in_pairs_of_both_orders():
    for last, first in (pair for forms in FORMS.values() for pair in forms):
        assert last.index("[O]") < last.index("[D]")
        assert first.index("[D]") < first.index("[O]")


def test_training_has_reviews_of_all_difficulties_up_to_the_one_of_the_test_part():
    rows = training_reviews(300, 3, 0)
    assert len(rows) == 600
    parts = [" , " in text.replace(" , i am told", "") and " . " not in text for text, _ in rows]
    assert all(parts[:200])
    assert not all(parts[200:])
    assert {*rows[:200]} == {*reviews(100, 1, 0, test=False)}


def test_the_source_follows_from_its_seed_and_takes_options():
    sources = [open_source("reviews:pairs=50,test_pairs=20,difficulty=3", LoaderConfig(), seed) for seed in (0, 0, 1)]
    assert sources[0].fingerprint == sources[1].fingerprint != sources[2].fingerprint
    assert (len(sources[0].train), len(sources[0].test)) == (100, 40)
    assert labels_of(sources[0].train).sum() == 50
    assert all(text.endswith(" .") and "  " not in text for text in texts_in(sources[0].train))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("reviews:pears=3", "no option 'pears'. Did you mean 'pairs'"),
        ("reviews:pairs=many", "should be pairs=N"),
        ("reviews:difficulty=4", "--reviews.difficulty must be from 1 to 3, but it is 4"),
    ],
)
def test_a_mistaken_option_is_explained(spec, said):
    with pytest.raises(UserError) as raised:
        open_source(spec, LoaderConfig())
    assert said in str(raised.value)
