"""Facts: every answer stands in its text, and names of the test part are new."""

import re

import pytest

from torchworks.seq_models.data.facts import is_held_back, open_facts, rows
from torchworks.seq_models.data.questions import rows_of
from torchworks.shared.config import TextConfig, UserError

ROWS = {test: rows(400, 25, 0, test=test) for test in (False, True)}
NAME = re.compile(r"(?<![.] )(?<!^)\b[A-Z][a-z]{3,}\b")
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


@pytest.mark.parametrize("test", [False, True])
def test_an_answer_stands_where_it_is_said_to(test):
    for row in ROWS[test]:
        assert row.text[row.start :].startswith(row.answer)
        assert re.fullmatch(r"[^<>{}]*", row.text + row.question + row.summary)


def test_texts_for_testing_have_5_to_9_sentences_and_others_may_have_fewer():
    counts = {test: {len(re.findall(r"\.", row.text)) for row in ROWS[test]} for test in ROWS}
    assert counts[True] == {5, 6, 7, 8, 9}
    assert min(counts[False]) < 5


def test_a_quarter_of_the_questions_has_no_answer():
    assert 0.2 < sum(not row.answer for row in ROWS[True]) / 400 < 0.3
    assert all(row.answer for row in rows(50, 0, 0, test=True))


def test_questions_without_an_answer_ask_for_people_who_occur_too():
    asked = [(row, NAME.findall(row.question)) for row in ROWS[True] if not row.answer]
    present = [row for row, names in asked if names and names[0] in row.text]
    assert len(present) > 10
    assert len(present) < len(asked) - 10


def test_people_and_towns_are_those_of_one_part_alone():
    for test, part in ROWS.items():
        names = {name for row in part for name in NAME.findall(row.text) if name not in MONTHS}
        assert len(names) > 100
        assert all(is_held_back(name) == test for name in names)


def test_the_summary_has_the_highest_and_the_lowest_price_that_are_told():
    for row in ROWS[True]:
        first, high, second, low = re.fullmatch(
            r"(\w+) paid the most, (\d+) euros, and (\w+) the least, (\d+) euros\.", row.summary
        ).groups()
        assert int(high) > int(low)
        assert first != second
        assert all(re.search(rf"\b{each}\b", row.text) for each in (first, high, second, low))
        alone = [int(each) for each in re.findall(r"(\d+) euros", row.text)]
        assert int(high) >= max(alone)
        assert int(low) <= min(alone)


def test_the_texts_follow_from_the_seed():
    sources = [open_facts("train=20,test=5", TextConfig(), seed) for seed in (0, 0, 1)]
    assert sources[0].fingerprint == sources[1].fingerprint != sources[2].fingerprint
    assert rows_of(sources[0].train) == rows(20, 25, 0, test=False)
    assert len(sources[0].test) == 5


@pytest.mark.parametrize(("rest", "sentence"), [("rows=3", "no option 'rows'"), ("unanswerable=101", "from 0 to 100")])
def test_options_that_are_wrong_are_explained(rest, sentence):
    with pytest.raises(UserError, match=sentence):
        open_facts(rest, TextConfig(), 0)
