"""From documents to one long row of words, and rows of it with windows on both sides; and how often words stand near
each other.

Between two documents are as many paddings, of number 0, as a window is wide, so that no window has words of two.

Shape letters: T places of a text, N rows, L words of a row, W words of a window, V words of the vocabulary.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from torchworks.seq_models.data.documents import Document
from torchworks.shared.config import UserError
from torchworks.shared.data.loaders import Batch, to_device
from torchworks.shared.text import Words

_WORD = re.compile(r"[^\W\d]\w*")
FEWEST = 50
"""Different words that a vocabulary needs."""


def word_vocabulary(documents: Sequence[Document], size: int, min_count: int) -> tuple[Words, np.ndarray]:
    """Words and identifiers in lower case, the most frequent first, and how often each occurs, int64 (V,). Numbers and
    punctuation marks are no words. Raises `UserError` if there are too few."""
    counts: Counter[str] = Counter()
    for document in documents:
        for _, line in document.lines():
            counts.update(_WORD.findall(line.lower()))
    known = sorted((-count, word) for word, count in counts.items() if count >= min_count)[: size - 2]
    if len(known) < FEWEST:
        raise UserError(
            f"Words of the text that occur at least {min_count} times: {len(known)}. To learn what words have in "
            f"common, {FEWEST} are needed. Use a longer text, or a smaller --min-count."
        )
    words = Words([word for _, word in known])
    return words, np.array([0, 0, *(-count for count, _ in known)])


def word_stream(documents: Iterable[Document], words: Words, window: int) -> np.ndarray:
    """The known words of all documents, int32 (T,), with `window` paddings before, between and after them. Words that
    are not known are left out, as word2vec.c does, so their neighbors stand next to each other."""
    gap = [0] * window
    parts = [np.array(gap, np.int32)]
    for document in documents:
        known = [i for _, line in document.lines() for i in words.encode(line) if i > words.unknown]
        parts.append(np.array(known + gap, np.int32))
    return np.concatenate(parts)


def keep_rates(counts: np.ndarray, sample: float) -> np.ndarray:
    """The share of the occurrences of each word that training keeps, float32 (V,): of a word with the share f of the
    text sqrt(sample / f) + sample / f, as word2vec.c does (the paper has 1 - sqrt(sample / f) dropped); all if `sample`
    is 0. Paddings are kept."""
    if not sample:
        return np.ones(len(counts), np.float32)
    share = np.maximum(counts / counts.sum(), 1e-12)
    return np.minimum(1, np.sqrt(sample / share) + sample / share).astype(np.float32)


def thinned(stream: np.ndarray, keep: np.ndarray, seed: Sequence[int]) -> np.ndarray:
    """The places of a stream that are kept this time."""
    return stream[np.random.default_rng(list(seed)).random(len(stream), np.float32) < keep[stream]]


class Rows:
    """Batches of rows of a stream, {`words`: int64 (N, L + 2W)}: L words and a window on each side.

    In each epoch other occurrences of frequent words are left out, and rows come in another order. Order and choice are
    functions of seed and epoch, so that training can go on anywhere.
    """

    def __init__(
        self,
        stream: np.ndarray,
        keep: np.ndarray,
        *,
        window: int,
        length: int,
        batch_size: int,
        seed: int = 0,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world: int = 1,
    ):
        self.stream, self.keep, self.window, self.length = stream, keep, window, length
        self.batch_size, self.seed, self.device = batch_size, seed, torch.device(device)
        self.rank, self.world = rank, world
        expected = float(keep[stream].sum()) / length
        self.batches = max(1, round(expected / (batch_size * world)))
        """Batches of an epoch."""

    def iter_from(self, position: int) -> Iterator[Batch]:
        """Endless training batches; `position` counts those consumed since the start of the training."""
        epoch, start = divmod(position, self.batches)
        while True:
            rows, order = self._epoch(epoch)
            for place in order[start:]:
                yield {"words": to_device(rows[place].long(), self.device)}
            epoch, start = epoch + 1, 0

    def __iter__(self) -> Iterator[Batch]:
        """The batches of the first epoch."""
        for number, batch in enumerate(self.iter_from(0), 1):
            yield batch
            if number == self.batches:
                return

    def _epoch(self, epoch: int) -> tuple[Tensor, Tensor]:
        """All rows, (R, L + 2W), and which of them each batch has, (batches, N)."""
        kept = thinned(self.stream, self.keep, (self.seed, epoch, 0))
        rest = -(len(kept) - 2 * self.window) % self.length
        whole = torch.from_numpy(np.pad(kept, (0, rest)))
        rows = whole.unfold(0, self.length + 2 * self.window, self.length)
        order = np.random.default_rng([self.seed, epoch, 1]).permutation(len(rows))
        needed = self.batches * self.batch_size * self.world  # about as many rows as there are
        order = np.resize(order, needed).reshape(self.batches, self.world, self.batch_size)
        return rows, torch.from_numpy(order[:, self.rank])


def cooccurrences(stream: np.ndarray, vocabulary: int, window: int, *, harmonic: bool) -> scipy.sparse.csr_array:
    """How often word j stands near word i, (V, V) float64, symmetric: within `window` places, each time counted as 1,
    or, if `harmonic`, as 1 / (their distance)."""
    total = scipy.sparse.csr_array((vocabulary, vocabulary))
    for distance in range(1, window + 1):
        left, right = stream[:-distance], stream[distance:]
        real = (left != 0) & (right != 0)
        weight = np.full(int(real.sum()), 1 / distance if harmonic else 1.0)
        total = total + scipy.sparse.coo_array((weight, (left[real], right[real])), total.shape).tocsr()
    return (total + total.T).tocsr()
