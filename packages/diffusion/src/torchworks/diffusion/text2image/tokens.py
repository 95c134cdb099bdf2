"""The vocabulary of a model, made of its training captions."""

from collections.abc import Iterable

from torchworks.shared.config import UserError
from torchworks.shared.text import Words
from torchworks.shared.text.reading import check_words

TOKENIZER = "tokenizer.json"


def new_tokenizer(captions: Iterable[str], size: int) -> Words:
    """The words of the training captions. Raises `UserError` if there is none."""
    tokenizer = Words.train(captions, size=size + 2)
    if not tokenizer.tokens:
        raise UserError("The training captions have no word in them, so there is nothing to draw images by.")
    return tokenizer


def check_prompt(prompt: str, tokenizer: Words, longest: int) -> None:
    """Raise `UserError` for a prompt with words that the model does not know, or with more than it reads."""
    check_words(prompt, tokenizer, longest, name="prompt", learned="captions", advice="Say what the image should show.")
