"""What needs no training by gradient: the nearest training image, and ridge regression from gradients of the image to
the words of its caption.

Shape letters: N images, R training images, S pixels along a side, F features, W words, M captions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.contrastive.metrics import PROMPTS
from torchworks.shared.data.dataset import fit

SIDE = 16
"""Pixels along an image whose nearest neighbor is looked for."""
CELLS, BINS = 8, 9
AT_ONCE = 250
"""Images whose features are computed together."""
RIDGE = 30.0


@dataclass(frozen=True)
class Pairs:
    """Images uint8 (N, 3, S, S) and the caption of each."""

    images: Tensor
    captions: Sequence[str]

    def at(self, rows: Sequence[int]) -> "Pairs":
        return Pairs(self.images[list(rows)], [self.captions[i] for i in rows])

    @property
    def single(self) -> "Pairs":
        """Those of one thing."""
        return self.at([i for i, caption in enumerate(self.captions) if caption in PROMPTS])


class Words:
    """Captions as counts of their words, each at its place if `placed`."""

    def __init__(self, captions: Sequence[str], *, placed: bool):
        self.placed = placed
        self.number = {word: i for i, word in enumerate(sorted({w for text in captions for w in self._of(text)}))}

    def _of(self, text: str) -> list[str]:
        words = text.split()
        return [f"{i} {word}" for i, word in enumerate(words)] if self.placed else words

    def __call__(self, captions: Sequence[str]) -> Tensor:
        """float32 (N, W)."""
        counts = torch.zeros(len(captions), len(self.number))
        for row, text in zip(counts, captions, strict=True):
            for word in self._of(text):
                row[self.number[word]] += 1
        return counts


def nearest_neighbor(train: Pairs, test: Pairs, choices: Sequence[str]) -> float:
    """How often the caption in `choices` that has most words, at their places, of the caption of the most similar
    training image is right."""
    small = [fit(pairs.images, 3, SIDE).flatten(1).float() for pairs in (train, test)]
    found = [train.captions[i] for i in torch.cdist(small[1], small[0]).argmin(1).tolist()]
    words = Words([*choices, *found], placed=True)
    wanted, given = F.normalize(words(choices)), F.normalize(words(found))
    return _right(given @ wanted.T, choices, test.captions)


def gradients_to_words(train: Pairs, test: Pairs, choices: Sequence[str]) -> float:
    """How often the caption in `choices` is right whose words are nearest to those that ridge regression reads."""
    words = Words([*train.captions, *choices], placed=False)
    x, targets = features(train.images), words(train.captions)
    mean, deviation, center = x.mean(0), x.std(0) + 1e-3, targets.mean(0)
    x = ((x - mean) / deviation).double()
    weights = torch.linalg.solve(
        x.T @ x + RIDGE * torch.eye(x.shape[1], dtype=x.dtype), x.T @ (targets - center).double()
    )
    read = ((features(test.images) - mean) / deviation).double() @ weights
    wanted = (words(choices) - center).double()
    return _right(F.normalize(read) @ F.normalize(wanted).T, choices, test.captions)


def features(images: Tensor) -> Tensor:
    """Histograms of oriented gradients in 8 × 8 cells (Dalal and Triggs 2005), and the mean color of each: (N, F)."""
    return torch.cat([_features(part) for part in images.split(AT_ONCE)])


def _features(images: Tensor) -> Tensor:
    x = images.float() / 255
    grey = x.mean(1)
    down, right = grey.diff(dim=1)[:, :, :-1], grey.diff(dim=2)[:, :-1]
    angle = (torch.atan2(down, right) / torch.pi % 1 * BINS).long().clamp(max=BINS - 1)
    length = (down**2 + right**2).sqrt()
    bins = F.one_hot(angle, BINS).movedim(-1, 1) * length[:, None]
    cells = F.adaptive_avg_pool2d(bins, CELLS)
    cells = cells / (cells.norm(dim=1, keepdim=True) + 0.02)
    return torch.cat([cells.flatten(1), F.adaptive_avg_pool2d(x, CELLS).flatten(1)], 1)


def _right(likeness: Tensor, choices: Sequence[str], captions: Sequence[str]) -> float:
    best = [choices[i] for i in likeness.argmax(1).tolist()]
    return sum(a == b for a, b in zip(best, captions, strict=True)) / len(captions)


def baselines(train: Pairs, test: Pairs) -> dict[str, float]:
    """Of both: `caption_recall_at_1` among the captions of `test` and, where captions are of scenes, the zero-shot
    accuracy among 60 prompts."""
    methods = {"neighbor": nearest_neighbor, "gradients": gradients_to_words}
    choices = list(dict.fromkeys(test.captions))
    found = {f"caption_recall_at_1_{name}": method(train, test, choices) for name, method in methods.items()}
    single = test.single
    if single.captions:
        for name, method in methods.items():
            found[f"zero_shot_accuracy_{name}"] = method(train.single, single, PROMPTS)
        found["zero_shot_accuracy_chance"] = 1 / len(PROMPTS)
    return found
