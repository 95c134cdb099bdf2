"""Whether a model can read a user's text as a whole. Imports no torch."""

from difflib import get_close_matches

from torchworks.shared.config import UserError
from torchworks.shared.text.tokenizer import Tokenizer

SHOWN = 60
"""Words of a vocabulary that a message names."""


def check_words(text: str, tokenizer: Tokenizer, longest: int, *, name: str, learned: str, advice: str) -> None:
    """Raise `UserError` for a text without a word, with words that `tokenizer` does not know, or of more tokens than
    `longest`. Messages call the text `name`, and the texts of training `learned`; `advice` says what to write."""
    if not (count := len(tokenizer.encode(text))):
        raise UserError(f"The {name} has no word in it. {advice}")
    if unknown := sorted({*tokenizer.unknown_in(text)}):
        raise UserError(_of_unknown(unknown, list(getattr(tokenizer, "tokens", ())), learned))
    if count > longest:
        raise UserError(
            f"The {name} has {count} words and marks, but this model reads {longest} at most: as many as the longest "
            f"of its training {learned} has, or as it was trained to read. Say it in fewer."
        )


def _of_unknown(unknown: list[str], words: list[str], learned: str) -> str:
    one = len(unknown) == 1
    near = [f"'{close[0]}' for '{word}'" for word in unknown if (close := get_close_matches(word, words, 1))]
    meant = f"Did you mean {', '.join(near)}? " if near else ""
    more = f" and {len(words) - SHOWN:,} rarer ones" if len(words) > SHOWN else ""
    return (
        f"The model does not know the word{'' if one else 's'} {', '.join(map(repr, unknown))}: "
        f"{'it is' if one else 'they are'} in none of its training {learned}. "
        f"{meant}It knows: {', '.join(sorted(words[:SHOWN]))}{more}."
    )
