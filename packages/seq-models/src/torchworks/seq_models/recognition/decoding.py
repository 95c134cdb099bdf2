"""From log-probabilities of letters to text: greedy, by beam search with a language model, and when each word is said.

Shape letters: N sounds, R frames, V letters with the blank, S letters of a text.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from torchworks.seq_models.models.ctc_recognizer import BLANK
from torchworks.seq_models.recognition.language import LetterModel

UNLIKELY = -7.0
"""Letters of a lower log-probability in a frame are not tried by the beam search."""


def greedy(found: Tensor, frames: Tensor, alphabet: Sequence[str]) -> list[str]:
    """The likeliest letter of each frame of (N, R, V), repeats merged, blanks removed; a text for each row."""
    best = found.argmax(2).tolist()
    return ["".join(alphabet[i - 1] for i in merged(row[:n])) for row, n in zip(best, frames.tolist(), strict=True)]


def merged(path: Sequence[int]) -> list[int]:
    """Letters of a path of frames: those that are not blank and differ from the frame before."""
    return [letter for i, letter in enumerate(path) if letter != BLANK and (i == 0 or path[i - 1] != letter)]


def beam_search(
    found: NDArray[np.float32],
    *,
    beams: int = 16,
    language: LetterModel | None = None,
    weight: float = 0.5,
    bonus: float = 0.5,
) -> list[int]:
    """The letters of the likeliest text of log-probabilities (R, V): the paths of a text are summed (Graves 2012,
    "Sequence Transduction", and Hannun et al. 2014, arXiv:1408.2873, algorithm 1). With a `language` model each letter
    adds `weight` times its log-probability there, and `bonus`, which makes up for long texts being less likely."""
    kept: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}  # text → ending in the blank, or not
    extra: dict[tuple[int, ...], float] = {(): 0.0}

    def prior(text: tuple[int, ...]) -> float:
        if text not in extra:
            said = 0.0 if language is None else weight * language.log_probability(text[:-1], text[-1]) + bonus
            extra[text] = prior(text[:-1]) + said
        return extra[text]

    for frame in found:
        likely = [int(i) for i in np.flatnonzero(frame > UNLIKELY) if i != BLANK]
        new: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        for text, (blank, letter) in kept.items():
            both = float(np.logaddexp(blank, letter))
            entry = new[text]
            entry[0] = np.logaddexp(entry[0], both + frame[BLANK])
            if text:
                entry[1] = np.logaddexp(entry[1], letter + frame[text[-1]])
            for each in likely:
                longer = (*text, each)
                before = blank if text and text[-1] == each else both
                new[longer][1] = np.logaddexp(new[longer][1], before + frame[each])
        ranked = sorted(new.items(), key=lambda item: -(np.logaddexp(item[1][0], item[1][1]) + prior(item[0])))[:beams]
        kept = {text: (values[0], values[1]) for text, values in ranked}

    def total(text: tuple[int, ...]) -> float:
        end = 0.0 if language is None else weight * language.log_probability(text, None)
        return float(np.logaddexp(*kept[text])) + prior(text) + end

    return list(max(kept, key=total))


def aligned(found: NDArray[np.float32], letters: Sequence[int]) -> list[int]:
    """The frame in which each of `letters` (S,) begins, on the likeliest path of (R, V) that spells them (Viterbi).
    Raises `ValueError` if there are too few frames for them."""
    if not letters:
        return []
    states = np.array([BLANK, *(x for letter in letters for x in (letter, BLANK))])  # (2S + 1,)
    count, skips = len(states), np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]  # from a letter straight to another one
    best = np.full(count, -np.inf)
    best[:2] = found[0, states[:2]]
    came = np.zeros((len(found), count), np.int64)
    for t in range(1, len(found)):
        steps = np.stack([best, np.concatenate([[-np.inf], best[:-1]]), np.concatenate([[-np.inf] * 2, best[:-2]])])
        steps[2, ~skips] = -np.inf
        came[t] = steps.argmax(0)
        best = steps.max(0) + found[t, states]
    state = count - 1 if best[-1] >= best[-2] else count - 2
    if best[state] == -np.inf:
        raise ValueError(f"{len(found)} frames are too few for {len(letters)} letters")
    starts = [0] * len(letters)
    for t in range(len(found) - 1, -1, -1):
        if state % 2:
            starts[state // 2] = t
        state -= int(came[t, state])
    return starts


@dataclass(frozen=True)
class Word:
    """A word and when it is said, in seconds."""

    text: str
    start: float
    end: float


def words_of(text: str, starts: Sequence[int], seconds: float, length: float) -> list[Word]:
    """The words of `text`, whose letters begin in the frames `starts`, each `seconds` long; a word ends where the space
    after it begins, or with its last letter, but not after `length` seconds."""
    words, begin = [], 0
    for i, sign in enumerate([*text, " "]):
        if sign != " ":
            continue
        if i > begin:
            end = starts[i] if i < len(text) else starts[i - 1] + 2
            words.append(Word(text[begin:i], starts[begin] * seconds, min(end * seconds, length)))
        begin = i + 1
    return words
