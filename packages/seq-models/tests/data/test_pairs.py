"""Sources of texts with their translations: nothing of the test part was learnt from."""

import re

import pytest

from torchworks.seq_models.data.languages import LANGUAGES
from torchworks.seq_models.data.numbers import longer_pairs
from torchworks.seq_models.data.pairs import pairs_in
from torchworks.seq_models.data.spellers import number
from torchworks.shared.config import LoaderConfig, TextConfig, UserError
from torchworks.shared.data import check, open_source

CONFIG = TextConfig()


def parts(spec: str, config: LoaderConfig = CONFIG, seed: int = 0) -> tuple[list, list]:
    source = open_source(spec, config, seed)
    return list(pairs_in(source.train)), list(pairs_in(source.test))


# ------------------------------------------------------------------------------------------------ numbers


@pytest.fixture(scope="module")
def german():
    return parts("numbers:train=3000,test=400")


def values(pairs) -> set[str]:
    return {value for text, _ in pairs for value in text.split(", ")}


def test_no_value_of_the_test_part_is_in_a_training_text(german):
    train, test = german
    assert (len(train), len(test)) == (3000, 400)
    assert not values(train) & values(test)
    assert not values(train) & values(longer_pairs("train=3000", 0))


def test_a_date_of_the_test_part_is_not_trained_on_in_its_other_english_form(german):
    train, test = ({target for _, joined in part for target in joined.split(", ")} for part in german)
    dates = {target for target in test if target.startswith("der ")}
    assert dates
    assert not dates & train


def test_numbers_that_are_words_of_their_own_are_trained_on(german):
    train, test = german
    words = {number("en", n) for n in (*range(21), *range(30, 100, 10))}
    assert not words & values(test)
    assert words <= values(train)


def test_longer_texts_have_more_values_than_any_that_is_trained_on(german):
    assert {text.count(",") + 1 for text, _ in german[0]} == {1, 2}
    longer = longer_pairs("train=600", 0, 50)
    assert {text.count(",") + 1 for text, _ in longer} == {3, 4}
    assert len(longer) == 50


def test_the_pairs_follow_from_the_seed(german):
    assert parts("numbers:de,train=3000,test=400") == german
    assert parts("numbers:de,train=3000,test=400", seed=1) != german


def test_french_is_another_target():
    train, _ = parts("numbers:fr,train=700,test=50")
    found = dict(train)
    assert found["seventeen"] == "dix-sept"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("numbers:it", "names no language to translate into"),
        ("numbers:de,trian=3", "Did you mean 'train'"),
        ("numbers:train=many", "with a whole number N"),
        ("phrases:en", "names no two languages"),
        ("phrases:de-de", "names no two languages"),
        ("tsv", "needs a path"),
        ("tsv:nowhere.tsv", "There is no file nowhere.tsv"),
    ],
)
def test_wrong_options_are_explained(spec, says):
    with pytest.raises(UserError, match=re.escape(says)):
        open_source(spec, CONFIG)


# ------------------------------------------------------------------------------------------------ phrases


@pytest.mark.parametrize("languages", ["en-de", "fr-ja", "zh-en"])
def test_phrases_of_the_test_part_are_not_trained_on(languages):
    train, test = parts(f"phrases:{languages}")
    assert len(train) > 1000
    assert len(test) > 200
    assert not {text.casefold() for text, _ in train} & {text.casefold() for text, _ in test}
    assert not any("skin tone" in text for text, _ in [*train, *test])


def test_phrases_are_translations():
    train, test = parts("phrases")
    assert ("robot", "roboter") in {(a.lower(), b.lower()) for a, b in [*train, *test]}
    assert len(LANGUAGES) == 14


# ------------------------------------------------------------------------------------------------ own files

BROKEN = (
    b"\xef\xbb\xbfgood morning\tguten Morgen\r\nsee you\tbis bald\n\nno tab here\ntwo\ttabs\there\n\tleer\nleer\t\n"
    b"Good  Morning\tguten Tag\ncaf\xe9\tx\nnot\xef\xbf\xbd\tnicht\nyes\tja\nyes\tja\n"
)


def test_check_names_what_is_wrong_by_line(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_bytes(BROKEN + b" ".join([b"word"] * 70) + b"\tWort\n")
    report = check(f"tsv:{file}", CONFIG)
    assert not report.ok
    for sentence in (
        "problem: Lines that are not UTF-8: 1 (line 9)",
        "problem: Lines without a tab between text and translation: 1 (line 4)",
        "problem: Lines with more than one tab: 1 (line 5)",
        "problem: Lines without a text before the tab: 1 (line 6)",
        "problem: Lines without a translation behind the tab: 1 (line 7)",
        "warning: The same text with different translations, of which a model can learn one: 1 (lines 1 = 8)",
        "warning: The same pair more than once (copies stay on one side): 1 (lines 11 = 12)",
        "warning: Lines with the sign for a character that was lost (U+FFFD): 1 (line 10)",
        "warning: Texts of more than 64 words on one side",
        "warning: Pairs of which one side is some 8 times as long as the other, which are hardly translations: 1 (line",
        "fact: Longest text or translation: 70 words (line 13)",
    ):
        assert sentence in str(report)


def test_a_file_with_wrong_lines_is_refused_or_read_without_them(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_bytes(BROKEN)
    with pytest.raises(UserError, match=r"more than one tab: 1 \(line 5\).*pass --skip-bad"):
        parts(f"tsv:{file}")
    train, test = parts(f"tsv:{file}", TextConfig(skip_bad=True))
    assert {text for text, _ in [*train, *test]} == {"good morning", "Good  Morning", "see you", "not\ufffd", "yes"}
    assert {"good morning", "good  morning"} != {text.lower() for text, _ in test}


def test_equal_texts_are_on_one_side(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"text {i % 20}\tText {i}\n" for i in range(100)))
    train, test = parts(f"tsv:{file}")
    assert len(train) + len(test) == 100
    assert not {text for text, _ in train} & {text for text, _ in test}


def test_a_folder_has_its_own_parts_and_testing_keeps_what_is_in_both(tmp_path):
    (tmp_path / "train.tsv").write_text("one\teins\ntwo\tzwei\nThree\tdrei\n")
    (tmp_path / "test.tsv").write_text("three\tdrei\nfour\tvier\n")
    train, test = parts(f"tsv:{tmp_path}")
    assert sorted(train) == [("one", "eins"), ("two", "zwei")]
    assert test == [("three", "drei"), ("four", "vier")]
    assert "(lines train.tsv:3 = test.tsv:1)" in str(check(f"tsv:{tmp_path}", CONFIG))


def test_a_file_in_utf16_is_read(tmp_path):
    (tmp_path / "pairs.tsv").write_bytes("one\teins\ntwo\tzwei\nfür\tpour\n".encode("utf-16"))
    train, test = parts(f"tsv:{tmp_path / 'pairs.tsv'}")
    assert ("für", "pour") in [*train, *test]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"one\teins\0\n", "line 1 has a byte of 0"),
        (b"one\teins\n", "gives no pair for"),
        (b"", "gives no pair for"),
    ],
)
def test_what_is_no_file_of_pairs_is_refused(tmp_path, content, says):
    (tmp_path / "pairs.tsv").write_bytes(content)
    with pytest.raises(UserError, match=says):
        parts(f"tsv:{tmp_path / 'pairs.tsv'}")
