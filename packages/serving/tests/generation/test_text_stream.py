"""Pieces of text are whole characters, end before a stop string, and together are the whole text."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchworks.serving.generation.text_stream import TextStream
from torchworks.shared.text import ByteLevelBPE, Characters, Words

BYTES = ByteLevelBPE([])


def pieces(stream: TextStream, ids: list[int]) -> list[str]:
    found = []
    for each in ids:
        found.append(stream.add(each))
        if stream.stopped:
            return found
    return [*found, stream.end()]


@settings(deadline=None, max_examples=100)
@given(st.text())
def test_every_piece_is_of_whole_characters_and_together_they_are_the_text(text):
    text = text.encode("utf-8", "ignore").decode()
    assert "".join(pieces(TextStream(BYTES), BYTES.encode(text))) == text
    shown = list(accumulate(pieces(TextStream(BYTES), BYTES.encode(text))))
    assert all(text.startswith(part) for part in shown)


@settings(deadline=None, max_examples=100)
@given(st.text(" \nab"))
def test_a_text_that_stands_alone_has_no_space_around_it(text):
    assert "".join(pieces(TextStream(BYTES, alone=True), BYTES.encode(text))) == text.strip()


def test_a_character_of_several_bytes_comes_when_its_last_one_does():
    assert pieces(TextStream(BYTES), BYTES.encode("é世")) == ["", "é", "", "", "世", ""]


def test_bytes_that_never_become_a_character_do_not_hold_the_text_back_forever():
    half = BYTES.encode("世")[0]
    found = pieces(TextStream(BYTES), [half] * 8 + BYTES.encode("ok"))
    assert any(found[:4])
    assert "".join(found).endswith("ok")


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(st.sampled_from(BYTES.encode("é世🙂a")), st.integers(2, len(BYTES) - 1)), max_size=40))
def test_bytes_of_any_kind_become_the_text_that_they_are_together(ids):
    """A model that knows little yet writes parts of characters, and bytes that are none."""
    found = pieces(TextStream(BYTES), ids)
    assert "".join(found) == BYTES.decode(ids)


def test_an_unknown_token_is_shown_at_once():
    characters = Characters("ab")
    assert TextStream(characters).add(characters.unknown) == "\ufffd"


def test_words_have_the_space_between_them_that_the_whole_text_has():
    words = Words(["one", "two", ","])
    ids = words.encode("one two, one")
    assert "".join(pieces(TextStream(words), ids)) == words.decode(ids)


@settings(deadline=None, max_examples=100)
@given(st.text("ab\n", max_size=30), st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3))
def test_what_is_shown_ends_before_the_first_stop_string_and_never_shows_a_part_of_it(text, stops):
    characters = Characters("ab\n")
    stream = TextStream(characters, stops)
    places = [place for stop in stops for place in [text.find(stop)] if place >= 0]
    found = "".join(pieces(stream, characters.encode(text)))
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    first = min(ends) if ends else len(text)  # the stop string that is complete first counts
    wanted = min((text[:first].find(stop) for stop in stops if stop in text[:first]), default=len(text))
    assert found == text[:wanted]
    assert stream.stopped == bool(places)


@pytest.mark.parametrize(("text", "shown"), [("to be\n", "to be"), ("to be\nus", "to be"), ("to be\nux", "to be\nux")])
def test_the_beginning_of_a_stop_string_is_held_back(text, shown):
    characters = Characters(set(text + "user:"))
    stream = TextStream(characters, ["\nuser:"])
    assert "".join(stream.add(each) for each in characters.encode(text)) == shown
