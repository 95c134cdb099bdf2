"""From the logits of the next token to a token: greedy or drawn, with the field's usual restrictions.

    tokens = Sampling(temperature=0.8, top_p=0.9).choose(logits, seen=texts, seed=0, rows=rows, places=places)

NumPy only, no torch: a service draws what training packages draw, token for token.

A drawn token is a pure function of (logits, seed, row, place in the text): not of the batch that the row is in, nor of
what was drawn before. The functions take logits (..., V), and what they forbid becomes -∞.

Shape letters: B rows, V tokens of the vocabulary.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchworks.shared.config import UserError
from torchworks.shared.numbers.seeds import mix

Logits = NDArray[np.floating]


def top_k(logits: Logits, k: int) -> Logits:
    """Only the `k` most probable tokens, and those as probable as the last of them (Fan et al. 2018,
    arXiv:1805.04833)."""
    if k >= logits.shape[-1]:
        return logits
    smallest = np.partition(logits, -k, axis=-1)[..., -k, None]
    return np.where(logits < smallest, -np.inf, logits)


def top_p(logits: Logits, p: float) -> Logits:
    """Only the fewest tokens, the most probable first, that have a probability of `p` together: nucleus sampling
    (Holtzman et al. 2020, arXiv:1904.09751)."""
    order = np.argsort(-logits, axis=-1, kind="stable")
    sorted_probabilities = np.take_along_axis(softmax(logits), order, -1)
    before = np.cumsum(sorted_probabilities, -1) - sorted_probabilities  # of all that are more probable
    keep = before < p
    keep[..., 0] = True
    kept = np.empty_like(keep)
    np.put_along_axis(kept, order, keep, -1)
    return np.where(kept, logits, -np.inf)


def min_p(logits: Logits, share: float) -> Logits:
    """Only tokens at least `share` times as probable as the most probable one (Nguyen et al. 2024,
    arXiv:2407.01082)."""
    probabilities = softmax(logits)
    return np.where(probabilities < share * probabilities.max(-1, keepdims=True), -np.inf, logits)


def penalize_repetition(logits: Logits, seen: Iterable[int], penalty: float) -> Logits:
    """Make tokens that were `seen` less probable: of one row (V,), positive logits are divided by `penalty`, negative
    ones multiplied (Keskar et al. 2019, arXiv:1909.05858, section 4.1)."""
    tokens = np.unique(np.fromiter(seen, np.int64))
    changed = logits.copy()
    changed[tokens] = np.where(logits[tokens] > 0, logits[tokens] / penalty, logits[tokens] * penalty)
    return changed


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Probabilities, float64."""
    weights = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def uniform(seed: int, row: int, place: int) -> float:
    """The random number in [0, 1) by which token number `place` of text number `row` is drawn."""
    return (mix(seed, "token", row, place) >> 10) / (1 << 53)


def draw(logits: Logits, number: float) -> int:
    """The token of one row (V,) whose share of [0, 1), in the order of tokens, holds `number`."""
    ends = np.cumsum(softmax(logits))
    token = int(np.searchsorted(ends, number * ends[-1], side="right"))
    return min(token, int(np.flatnonzero(np.isfinite(logits))[-1]))  # rounding must not pick what is forbidden


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. The restrictions apply in this order: penalty, temperature, top-k, top-p, min-p."""

    temperature: float = 1.0
    """Logits are divided by it: below 1 likely tokens become likelier. 0 always takes the likeliest (greedy)."""
    top_k: int = 0
    """Number of most probable tokens to draw from; 0: all."""
    top_p: float = 1.0
    """Probability that the tokens to draw from have together; 1: all."""
    min_p: float = 0.0
    """Least probability of a token to draw, in units of the most probable one's; 0: any."""
    repetition_penalty: float = 1.0
    """Above 1, tokens that stand in the text already become less probable."""

    def __post_init__(self) -> None:
        limits = {
            "temperature": (self.temperature >= 0 and np.isfinite(self.temperature), "0 or more"),
            "top_k": (self.top_k >= 0, "0 (all) or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_p": (0 <= self.min_p <= 1, "from 0 to 1"),
            "repetition_penalty": (self.repetition_penalty > 0 and np.isfinite(self.repetition_penalty), "above 0"),
        }
        for name, (right, allowed) in limits.items():
            if not right:
                raise UserError(f"{name} must be {allowed}, but it is {getattr(self, name):g}.")

    def choose(
        self, logits: Logits, *, seen: Sequence[Iterable[int]], seed: int, rows: Sequence[int], places: Sequence[int]
    ) -> NDArray[np.int64]:
        """A token for each row, int64 (B,), from logits (B, V). `seen` are the tokens of each text so far, `rows` the
        numbers of the texts, which need not be their places in the batch, `places` the number of the token in each.

        Raises `UserError` if a row's logits are not numbers or forbid every token."""
        self._check(logits)
        if self.repetition_penalty != 1:
            pairs = zip(logits, seen, strict=True)
            logits = np.stack([penalize_repetition(row, text, self.repetition_penalty) for row, text in pairs])
        if self.temperature == 0:
            return logits.argmax(-1)
        restricted = self._restricted(logits)
        numbers = [uniform(seed, row, place) for row, place in zip(rows, places, strict=True)]
        return np.array([draw(row, number) for row, number in zip(restricted, numbers, strict=True)], np.int64)

    def _restricted(self, logits: Logits) -> Logits:
        logits = logits.astype(np.float64) / self.temperature
        if self.top_k:
            logits = top_k(logits, self.top_k)
        if self.top_p < 1:
            logits = top_p(logits, self.top_p)
        return min_p(logits, self.min_p) if self.min_p else logits

    @staticmethod
    def _check(logits: Logits) -> None:
        largest = logits.max(-1)  # NaN if one is
        if not np.isfinite(largest).all():
            row = int(np.flatnonzero(~np.isfinite(largest))[0])
            what = "forbid every token" if np.isneginf(largest[row]) else "are not numbers (NaN or infinity)"
            raise UserError(f"No next token can be chosen: the model's logits of text {row} {what}.")


def sampling_of_options(**values: float) -> Sampling:
    """`Sampling` by the options of a command. Raises `UserError` that names one as it is written there: --top-p."""
    try:
        return Sampling(**values)  # ty: ignore[invalid-argument-type]
    except UserError as error:
        name, _, rest = str(error).partition(" ")
        raise UserError(f"--{name.replace('_', '-')} {rest}") from None


GREEDY = Sampling(temperature=0)
