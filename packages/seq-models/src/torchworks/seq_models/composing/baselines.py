"""What predicts the next frame without a net. All are fitted to the training pieces moved by up to
`transpose` semitones, as far as the voices keep their ranges, as the nets are.

Shape letters: L frames, V notes of a frame.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from torchworks.seq_models.music.frames import LOWEST, NOTES, ranges_of, shifts, transposed

Pieces = Sequence[np.ndarray]
ORDER = 3
"""Frames of an n-gram, with the one that is predicted."""
LEAST = 0.5
"""Added to counts, so that nothing is impossible."""


def baselines(train: Pieces, test: Pieces, transpose: int) -> dict[str, float]:
    """`nll_NAME`, nats a frame, over all test frames but each piece's first: `independent` knows how often each note
    sounds; `repeat` how often a note goes on or begins; `ngram` the frames seen after the last two."""
    low, high = ranges_of(np.concatenate(list(train)))
    known = [transposed(piece, by) for piece in train for by in shifts(piece, transpose, low, high)]
    independent = Independent(known)
    models = {"independent": independent, "repeat": Repeat(known), "ngram": FrameNGram(known, independent)}
    return {f"nll_{name}": _nll(model, test) for name, model in models.items()}


def _nll(model: Callable[[np.ndarray], np.ndarray], pieces: Pieces) -> float:
    each = [model(piece) for piece in pieces]
    return float(sum(part.sum() for part in each) / max(1, sum(len(part) for part in each)))


def roll_of(piece: np.ndarray) -> np.ndarray:
    """Which notes sound in each frame, bool (L, 88)."""
    roll = np.zeros((len(piece), NOTES + 1), bool)
    np.put_along_axis(roll, np.maximum(piece - LOWEST + 1, 0), True, 1)
    return roll[:, 1:]


def _bernoulli(sounds: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Nats of each frame (L,), of `sounds` (L, 88)."""
    return -np.where(sounds, np.log(probability), np.log1p(-probability)).sum(1)


class Independent:
    """Each note by itself, as often as it sounds in training."""

    def __init__(self, pieces: Pieces):
        sounds = sum(roll_of(piece).sum(0) for piece in pieces)
        self.probability = (sounds + LEAST) / (sum(map(len, pieces)) + 2 * LEAST)

    def __call__(self, piece: np.ndarray) -> np.ndarray:
        return _bernoulli(roll_of(piece)[1:], self.probability[None])

    def log_probability(self, frame: np.ndarray) -> float:
        return -float(_bernoulli(roll_of(frame[None]), self.probability[None])[0])


class Repeat:
    """Each note by itself: it goes on, or begins, as often as that note does in training."""

    def __init__(self, pieces: Pieces):
        on, total = np.zeros((2, NOTES)), np.zeros((2, NOTES))
        for piece in pieces:
            roll = roll_of(piece)
            for was in (0, 1):
                before = roll[:-1] == bool(was)
                total[was] += before.sum(0)
                on[was] += (before & roll[1:]).sum(0)
        self.probability = (on + LEAST) / (total + 2 * LEAST)

    def __call__(self, piece: np.ndarray) -> np.ndarray:
        roll = roll_of(piece)
        return _bernoulli(roll[1:], np.where(roll[:-1], self.probability[1], self.probability[0]))


class FrameNGram:
    """A frame as one symbol, by how often it followed the last two, the last one, or none, in training; mixed as by
    Witten and Bell (1991): where a past was followed by many different frames, a new one is likely. A frame that
    training does not have is told note by note, as by `Independent`."""

    def __init__(self, pieces: Pieces, notes: Independent):
        self.notes = notes
        self.follows: list[dict[Hashable, Counter]] = [defaultdict(Counter) for _ in range(ORDER)]
        for piece in pieces:
            frames = [tuple(row) for row in piece.tolist()]
            for place in range(1, len(frames)):
                for order in range(min(ORDER, place + 1)):
                    self.follows[order][tuple(frames[place - order : place])][frames[place]] += 1

    def __call__(self, piece: np.ndarray) -> np.ndarray:
        frames = [tuple(row) for row in piece.tolist()]
        return np.array([self._nats(frames, place, piece[place]) for place in range(1, len(frames))])

    def _nats(self, frames: list[tuple[int, ...]], place: int, row: np.ndarray) -> float:
        share = math.exp(self.notes.log_probability(row))
        for order in range(min(ORDER, place + 1)):
            seen = self.follows[order].get(tuple(frames[place - order : place]))
            if seen:
                total, kinds = seen.total(), len(seen)
                share = (seen[frames[place]] + kinds * share) / (total + kinds)
        return -math.log(share)
