"""Splitting into a training and a test part so that nothing leaks from one to the other. Imports no torch."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from itertools import compress
from typing import Any

import numpy as np

Label = int | Sequence[int]
"""A class, or a 0 or 1 for each class."""


def digests(images: Any) -> list[str]:
    """SHA-256 of each image's values, 16 hexadecimal digits: equal images, equal digests. `images` is an array of NumPy
    or a tensor on the CPU, with one image for each first index."""
    return [hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in np.asarray(images)]


def fingerprint(*parts: Sequence[object]) -> str:
    """16 hexadecimal digits over sequences of anything printable."""
    text = "\n\n".join("\n".join(map(str, part)) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def split(digests: Sequence[str], labels: Sequence[Label], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices (train, test), each in ascending order.

    Every class, or set of classes, gives `fraction` of its samples to the test part, at least one if it has two
    different ones. Samples of a set too rare for that go by the rarest class in it. Samples with equal digests stay
    together, with the label of the first. Which samples are chosen depends on their contents and the seed alone, not
    on their order.
    """
    strata = _strata(labels, fraction)
    groups: dict[str, list[int]] = defaultdict(list)
    for i, digest in enumerate(digests):
        groups[digest].append(i)
    classes: dict[Hashable, list[str]] = defaultdict(list)
    for digest, members in groups.items():
        classes[strata[members[0]]].append(digest)
    test = {i for names in classes.values() for i in _held_back(names, groups, fraction, seed)}
    return [i for i in range(len(digests)) if i not in test], sorted(test)


def _strata(labels: Sequence[Label], fraction: float) -> list[Hashable]:
    """What to divide evenly for each sample: its class; the classes it has, if at least one sample with just these is
    to be expected in the test part; else the rarest of them."""
    found = [label if isinstance(label, int) else tuple(compress(range(len(label)), label)) for label in labels]
    counts = Counter(found)
    single = Counter(k for label in found if isinstance(label, tuple) for k in label)

    def stratum(label: int | tuple[int, ...]) -> Hashable:
        if isinstance(label, int) or not label or fraction * counts[label] >= 1:
            return label
        return min(label, key=lambda k: (single[k], k))

    return [stratum(label) for label in found]


def _held_back(names: list[str], groups: dict[str, list[int]], fraction: float, seed: int) -> list[int]:
    """The test samples of one class: whole groups, in the order of a seeded hash."""
    names = sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    wanted = max(1, round(fraction * sum(len(groups[name]) for name in names)))
    taken: list[int] = []
    for name in names[:-1]:
        if len(taken) + len(groups[name]) <= wanted or not taken:
            taken += groups[name]
        if len(taken) >= wanted:
            break
    return taken
