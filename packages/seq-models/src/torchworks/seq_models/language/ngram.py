"""The n-gram language model with Witten-Bell smoothing, the classical model of text that a net has to beat.

Witten and Bell 1991, "The zero-frequency problem" (IEEE Transactions on Information Theory 37, method C), interpolated
as by Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling", equation 17:

    p(w | h) = (c(h w) + t(h) p(w | h')) / (c(h) + t(h))

for a history h, which occurs c(h) times, before t(h) different tokens, and h', the same without its first token. The
shorter a history's counts, and the more different tokens follow it, the more counts the shorter history. Below the
empty history all tokens are equally probable. A history that never occurred has p(w | h) = p(w | h').

All orders are counted and scored by sorting: an n-gram is the number of the (n-1)-gram that it begins with, times V,
plus its last token, so that numbers stay small whatever V and n are.

Shape letters: T tokens of a text, V tokens of the vocabulary, n the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NONE = -1
"""The number of a history that does not occur in the training text."""


@dataclass(frozen=True)
class Counts:
    """The n-grams of one order."""

    codes: np.ndarray
    """int64, ascending: the number of the history, times V, plus the token. An n-gram's number is its place here."""
    counts: np.ndarray
    """How often each occurs: c(h w)."""
    total: np.ndarray
    """By the number of the history, how often it goes on: c(h)."""
    types: np.ndarray
    """By the number of the history, how many different tokens follow it: t(h)."""

    @classmethod
    def of(cls, codes: np.ndarray, histories: int, vocabulary: int) -> "Counts":
        """Count the n-grams `codes`, one for each place of a text, after one of so many `histories`."""
        unique, counts = np.unique(codes, return_counts=True)
        history = unique // vocabulary
        total = np.bincount(history, weights=counts, minlength=histories)
        return cls(unique, counts, total, np.bincount(history, minlength=histories))

    def numbers(self, codes: np.ndarray) -> np.ndarray:
        """The numbers of n-grams; `NONE` of those that do not occur."""
        places = np.searchsorted(self.codes, codes).clip(max=len(self.codes) - 1)
        return np.where(self.codes[places] == codes, places, NONE)


class WittenBell:
    """The model of the text `tokens`, int (T,), with tokens in [0, `vocabulary`), up to n-grams of `order`."""

    def __init__(self, tokens: np.ndarray, vocabulary: int, order: int):
        self.vocabulary, self.order = vocabulary, order
        self.counts: list[Counts] = []
        history, histories = np.zeros(len(tokens), np.int64), 1
        for _ in range(order):  # history[i]: the number of the (n-1)-gram that ends before place i
            place = len(tokens) - len(history)
            codes = history * vocabulary + tokens[place:]
            counts = Counts.of(codes, histories, vocabulary)
            self.counts.append(counts)
            history, histories = np.searchsorted(counts.codes, codes)[:-1], len(counts.codes)

    def probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """(n, T): of each token of a text after those before it, by the models of order 1 to n. The first tokens have
        shorter histories."""
        p = np.full(len(tokens), 1 / self.vocabulary)
        history, found = np.zeros(len(tokens), np.int64), np.empty((self.order, len(tokens)))
        for n, counts in enumerate(self.counts):
            known = history != NONE  # of the first n tokens too few come before
            codes = np.where(known, history * self.vocabulary + tokens, NONE)
            numbers = counts.numbers(codes)
            count = np.where(numbers != NONE, counts.counts[numbers], 0)
            total, types = counts.total[history], counts.types[history]
            seen = known & (total > 0)
            p = np.where(seen, (count + types * p) / np.maximum(total + types, 1), p)
            found[n] = p
            history = np.concatenate([[NONE], numbers[:-1]])
        return found

    def distribution(self, history: Sequence[int]) -> np.ndarray:
        """(V,): the probability of each token after `history`, of which the last n - 1 tokens count."""
        p = np.full(self.vocabulary, 1 / self.vocabulary)
        for n, counts in enumerate(self.counts):
            number = self._number(history[len(history) - n :]) if n <= len(history) else NONE
            if number == NONE or not counts.total[number]:
                break
            start, end = np.searchsorted(counts.codes, (number * self.vocabulary, (number + 1) * self.vocabulary))
            p = p * counts.types[number]
            p[counts.codes[start:end] % self.vocabulary] += counts.counts[start:end]
            p /= counts.total[number] + counts.types[number]
        return p

    def _number(self, history: Sequence[int]) -> int:
        number = 0
        for token, counts in zip(history, self.counts, strict=False):
            number = int(counts.numbers(np.array([number * self.vocabulary + token]))[0])
            if number == NONE:
                return NONE
        return number
