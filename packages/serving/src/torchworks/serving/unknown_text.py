"""What is said of texts that have something in them that a model has never seen in its training, which it reads as
unknown: the answer may be of little use, and whoever asked should know."""

from collections.abc import Mapping

from torchworks.shared.text import Tokenizer

MOST_PARTS, MOST_ROWS, LONGEST_PART = 10, 10, 40


def unknown_warnings(name: str, texts: Mapping[int, str], several: bool, tokenizer: Tokenizer) -> list[str]:
    """A sentence that names the unknown parts of `texts`, by the numbers of their rows; none if there are none. Of
    `several` rows it names those too."""
    parts = list(dict.fromkeys(part for text in texts.values() for part in tokenizer.unknown_in(text)))
    if not parts:
        return []
    named = _listed([_named(part) for part in parts], MOST_PARTS)
    where = f", in row {_listed([*map(str, texts)], MOST_ROWS)}," if several else ""
    return [f"{name} has{where} parts that the model has not seen in training and reads as unknown: {named}."]


def _named(part: str) -> str:
    """A character with its code point, a word as it is."""
    if len(part) == 1:
        return f"{part!r} (U+{ord(part):04X})"
    return repr(part if len(part) <= LONGEST_PART else part[:LONGEST_PART] + "…")


def _listed(names: list[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
