"""Splitting into a training and a test part so that nothing leaks from one to the other."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from torch import Tensor


def digests(images: Tensor) -> list[str]:
    """SHA-256 of each image's values, 16 hexadecimal digits: equal images, equal digests."""
    return [hashlib.sha256(image.numpy().tobytes()).hexdigest()[:16] for image in images.contiguous()]


def fingerprint(*parts: Sequence[object]) -> str:
    """16 hexadecimal digits over sequences of anything printable."""
    text = "\n\n".join("\n".join(map(str, part)) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def split(digests: Sequence[str], labels: Sequence[int], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices (train, test), each in ascending order.

    Every class gives `fraction` of its samples to the test part, at least one if it has two different ones.
    Samples with equal digests stay together, with the class of the first. Which samples are chosen depends on
    their contents and the seed alone, not on their order.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for i, digest in enumerate(digests):
        groups[digest].append(i)
    classes: dict[int, list[str]] = defaultdict(list)
    for digest, members in groups.items():
        classes[labels[members[0]]].append(digest)
    test = {i for names in classes.values() for i in _held_back(names, groups, fraction, seed)}
    return [i for i in range(len(digests)) if i not in test], sorted(test)


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
