"""Which kinds of answers there are."""

from collections.abc import Sequence

KINDS = {
    "yes_no": ("yes", "no"),
    "color": ("red", "green", "blue", "yellow", "pink", "white", "black", "brown", "gray", "teal"),
    "shape": ("circle", "rectangle", "triangle"),
    "digit": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "number": ("1", "2", "3"),
}


def kinds_of(answers: Sequence[str]) -> dict[str, list[int]]:
    """The answers of each kind that there is, by their numbers; `other` are those of none."""
    known = {name: kind for kind, names in KINDS.items() for name in names}
    found: dict[str, list[int]] = {}
    for number, name in enumerate(answers):
        found.setdefault(known.get(name, "other"), []).append(number)
    return found
