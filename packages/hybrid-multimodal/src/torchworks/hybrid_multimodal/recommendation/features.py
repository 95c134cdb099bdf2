"""What is known of items before anybody has had them: genres, the year, the decade, and the words of the title."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.interactions import Catalogue

RARE = 2
"""Items that must have a word, a year or a genre for it to be a feature."""


def item_features(catalogue: Catalogue) -> Tensor:
    """Each as 0 or 1, float32 (I + 1, F); row 0 is padding. F is at least 1."""
    years = [str(year) for year in catalogue.years]
    decades = [f"{year // 10}0s" for year in catalogue.years]
    words = [re.findall(r"[^\W_]+", title.casefold()) for title in catalogue.titles]
    blocks = [_marked(lists) for lists in (catalogue.genres, _single(years), _single(decades), words)]
    features = torch.cat([block for block in blocks if block.shape[1]] or [torch.zeros(len(words), 1)], 1)
    return torch.cat([torch.zeros(1, features.shape[1]), features])


def _single(values: Sequence[str]) -> list[list[str]]:
    return [[value] for value in values]


def _marked(lists: Iterable[Iterable[str]]) -> Tensor:
    """Which words that are not rare each list has, (I, V)."""
    rows = [set(each) for each in lists]
    counts = Counter(word for row in rows for word in row)
    place = {word: i for i, word in enumerate(sorted(word for word, count in counts.items() if count >= RARE))}
    marks = torch.zeros(len(rows), len(place))
    for number, row in enumerate(rows):
        marks[number, [place[word] for word in row if word in place]] = 1.0
    return marks
