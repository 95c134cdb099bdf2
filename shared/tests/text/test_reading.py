"""A text that a model cannot read as a whole is refused, with what is wrong and what it knows."""

import pytest

from torchworks.shared.config import UserError
from torchworks.shared.text import Words
from torchworks.shared.text.reading import check_words

WORDS = Words.train(["a red circle left of a blue square"], size=100)


def check(text: str) -> None:
    check_words(text, WORDS, 8, name="prompt", learned="captions", advice="Say what to show.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" ", r"The prompt has no word in it\. Say what to show\."),
        ("a rad circle", r"does not know the word 'rad': it is in none of its training captions\. Did you mean 'red'"),
        (
            "pink cubes",
            r"does not know the words 'cubes', 'pink': they are in none of its training captions\. It knows",
        ),
        ("a red circle left of a blue square square", "has 9 words and marks, but this model reads 8 at most"),
    ],
)
def test_what_cannot_be_read_is_named(text, said):
    with pytest.raises(UserError, match=said):
        check(text)


def test_what_can_be_read_passes():
    check("a blue circle left of a red square")
