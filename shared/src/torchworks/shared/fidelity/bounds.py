"""What scores of a generator are read against, and the sample of training images that its evaluations look at."""

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from torch import Tensor

from torchworks.shared.data import Source
from torchworks.shared.fidelity.judge import Judge
from torchworks.shared.fidelity.metric import floor, gaussian

MOST_SELECTED = 5000
"""Rows that an evaluation during training looks at."""


class Shuffled(Protocol):
    """A loader of training batches."""

    batch_size: int

    def iter_from(self, position: int) -> Iterator[dict[str, Tensor]]: ...


class Selection:
    """A fair sample of `rows` training images, the same at each pass: the first of the loader's training order."""

    def __init__(self, loader: Shuffled, rows: int):
        self.loader, self.batches = loader, -(-min(rows, MOST_SELECTED) // loader.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return islice(self.loader.iter_from(0), self.batches)


def bounds(judge: Judge, source: Source) -> dict[str, float]:
    """Scores of the real test images against the training images (`_floor`, `_real`), the best that a generator can
    hope for; and of normally distributed pixels (`_baseline`), which it must beat."""
    real, baseline = floor(judge, source.train, source.test), gaussian(judge, source.train, source.test)
    distances = (judge.frechet_name, judge.kernel_name)
    scores = {f"{name}_floor": real[name] for name in distances}
    scores |= {f"{name}_baseline": baseline[name] for name in distances}
    return scores | {f"{name}_real": real[name] for name in ("precision", "recall", "label_accuracy") if name in real}
