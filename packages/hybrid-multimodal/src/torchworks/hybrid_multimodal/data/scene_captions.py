"""What captions of digit scenes say: all of them, which one is right, and wrong ones that are nearly right.

    a red seven
    a red seven left of a blue three
    a red seven above a blue three above a white one

A thing is a color and a digit, 60 in all. Several things are named from left to right or from above to below, along the
direction in which their centers are further apart. So exactly one caption is right for a scene. Imports no torch.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

COLORS = {
    "red": (220, 45, 40),
    "green": (50, 185, 70),
    "blue": (65, 105, 240),
    "yellow": (240, 215, 60),
    "pink": (240, 95, 200),
    "white": (240, 240, 240),
}
"""Their red, green and blue."""
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RELATIONS = ("left of", "above")
"""Where a thing is, seen from the next: on the axis of x or of y, before it."""
MOST = 3
"""Things of a scene."""

Thing = tuple[str, str]
"""Color and digit."""
THINGS: tuple[Thing, ...] = tuple(itertools.product(COLORS, DIGITS))
_THING = re.compile(rf"a ({'|'.join(COLORS)}) ({'|'.join(DIGITS)})")


@dataclass(frozen=True)
class Caption:
    """`relation` is where each of the `things` is, seen from the next; "" for a single thing."""

    things: tuple[Thing, ...]
    relation: str = ""

    def __str__(self) -> str:
        return f" {self.relation} ".join(f"a {color} {digit}" for color, digit in self.things)


def parse_caption(text: str) -> Caption | None:
    """What a caption says; None for a text that is no caption of digit scenes."""
    things = tuple(match.groups() for match in _THING.finditer(text))
    relations = RELATIONS if len(things) > 1 else ("",)
    found = (Caption(things, relation) for relation in relations)  # ty: ignore[invalid-argument-type]
    return next((caption for caption in found if things and str(caption) == text), None)


def all_captions(objects: int, things: Sequence[Thing] = THINGS) -> Iterator[Caption]:
    """All captions of so many `things`, in a fixed order: 60 of one object, 7,200 of two, 432,000 of three."""
    for relation in RELATIONS if objects > 1 else ("",):
        yield from (Caption(each, relation) for each in itertools.product(things, repeat=objects))


def describe(things: Sequence[Thing], centers: Sequence[tuple[float, float]]) -> Caption:
    """The caption that is right for things at `centers`, as x and y; y grows downwards."""
    spreads = [max(values) - min(values) for values in zip(*centers, strict=True)]
    axis = 0 if spreads[0] > spreads[1] else 1
    order = sorted(range(len(things)), key=lambda i: centers[i][axis])
    return Caption(tuple(things[i] for i in order), RELATIONS[axis] if len(things) > 1 else "")


def right_captions(
    captions: Sequence[str], things: Sequence[Thing], centers: Sequence[tuple[float, float]]
) -> list[bool]:
    """Which of `captions` are right for a scene: at most one is, however often it is there."""
    right = str(describe(things, centers))
    return [caption == right for caption in captions]


# -------------------------------------------------------------------------------------------------- held-out pairs


def held_things(*, tune: bool = False) -> tuple[Thing, ...]:
    """The 12 pairs of color and digit that training never shows: of color c, counted from 0, the digits (2c + 5k) mod
    10 for k = 0 and 1, so that each color and each digit is seen often. With `tune` 12 others, (2c + 5k + 1) mod 10."""
    return tuple(
        (color, DIGITS[digit])
        for c, color in enumerate(COLORS)
        for digit in sorted((2 * c + 5 * k + tune) % len(DIGITS) for k in (0, 1))
    )


def seen_things(*, tune: bool = False) -> tuple[Thing, ...]:
    """The pairs that training shows: 48; with `tune` 36, for those of the test part stay hidden as well."""
    hidden = {*held_things(), *(held_things(tune=True) if tune else ())}
    return tuple(thing for thing in THINGS if thing not in hidden)


# ------------------------------------------------------------------------------------------- captions nearly right


def swap_colors(text: str) -> str | None:
    """The caption with the colors of two things exchanged, the first two that differ in color and digit; None where
    that changes nothing, as of a single thing."""
    caption = parse_caption(text)
    assert caption is not None, text
    things = [*caption.things]
    for i, j in itertools.combinations(range(len(things)), 2):
        (first, a), (second, b) = things[i], things[j]
        if first != second and a != b:
            things[i], things[j] = (second, a), (first, b)
            return str(replace(caption, things=tuple(things)))
    return None


def swap_order(text: str) -> str | None:
    """The caption with its things in the opposite order; None where that changes nothing."""
    caption = parse_caption(text)
    assert caption is not None, text
    swapped = str(replace(caption, things=caption.things[::-1]))
    return swapped if swapped != text else None


def swap_relation(text: str) -> str | None:
    """The caption with the other relation; None for a single thing."""
    caption = parse_caption(text)
    assert caption is not None, text
    if not caption.relation:
        return None
    return str(replace(caption, relation=RELATIONS[1 - RELATIONS.index(caption.relation)]))


SWAPS = {"colors": swap_colors, "order": swap_order, "relation": swap_relation}
"""What tells whether a model reads which color belongs to which digit, and what stands where, or words alone."""
