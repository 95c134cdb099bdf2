"""Checks of the exercises of lesson 29."""

import numpy as np

from torchworks.lessons.checking import expect, expect_close


def auroc(answer):
    for scores, labels, wanted, hint in (
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1.0, "all positives lie above all negatives"),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.0, "all positives lie below all negatives"),
        ([0.3, 0.7, 0.5], [1, 1, 0], 0.5, "of two pairs one is in order; the rows need not be sorted"),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.5, "equal scores count one half"),
        ([1.0, 2.0, 2.0, 3.0, 4.0], [0, 0, 1, 0, 1], 4.5 / 6, "six pairs, one of them a tie"),
        ([-5.0, -3.0, 40.0], [0, 1, 0], 0.5, "scores need not be probabilities"),
    ):
        _number(answer(np.array(scores), np.array(labels)), wanted, f"scores {scores}, labels {labels}: {hint}.")


def paired_interval(answer):
    rng = np.random.default_rng(0)
    first = (rng.random(400) < 0.7).astype(float)
    second = first.copy()
    low, high = _pair(answer(first, second, 300, np.random.default_rng(1)))
    expect(
        low == high == 0,
        f"two equal models differ by 0 on any images, but the interval is {low:.3f} to {high:.3f}: score both on the "
        "same images",
    )
    second[np.flatnonzero(first == 0)[:20]] = 1.0
    low, high = _pair(answer(first, second, 2000, np.random.default_rng(1)))
    expect(low <= high, f"the lower end comes first; got {low:.3f} and {high:.3f}")
    expect(
        low > 0,
        f"the second model is better on 20 of 400 images, and worse on none, but the interval begins at {low:.3f}",
    )
    expect_close(low, 0.030, "the lower end of the middle 95 %, for 20 of 400.", tolerance=0.005)
    expect_close(high, 0.0725, "the upper end of the middle 95 %, for 20 of 400.", tolerance=0.005)


def choose_threshold(answer):
    valid = np.array([0.1, 0.4, 0.6, 0.9]), np.array([0, 1, 0, 1])
    test = np.array([0.2, 0.3, 0.5, 0.7]), np.array([1, 0, 1, 0])
    threshold, cost = _pair(answer(valid, test, 10.0, 1.0))
    _number(
        threshold, 0.4, "a missed positive is dear, so call all from 0.4 on positive: decided on the validation part."
    )
    _number(cost, 11 / 4, "from 0.4 on, test has one missed positive (10) and one false alarm (1), of four images.")
    threshold, cost = _pair(answer(valid, test, 1.0, 10.0))
    _number(threshold, 0.9, "false alarms are dear, so only 0.9 is called positive.")
    _number(cost, 2 / 4, "from 0.9 on, test has two missed positives and no false alarm.")
    nothing = np.array([0.7, 0.8]), np.array([1, 0])
    threshold, cost = _pair(answer(nothing, test, 1.0, 10.0))
    expect(
        threshold == np.inf,
        f"expected infinity, which calls nothing positive and is the cheapest here; got {threshold}",
    )
    equal = np.array([0.2, 0.5]), np.array([0, 1])
    threshold, _ = _pair(answer((np.array([0.3, 0.5, 0.7]), np.array([1, 0, 1])), equal, 1.0, 1.0))
    _number(threshold, 0.3, "0.3 and 0.7 cost the same on the validation part: take the smaller one.")


def _pair(given):
    expect(isinstance(given, tuple) and len(given) == 2, f"expected two numbers, got {given!r:.80}")
    return float(given[0]), float(given[1])


def _number(given, wanted, hint):
    expect(isinstance(given, int | float), f"expected a plain number, got a {type(given).__name__}")
    expect_close(float(given), float(wanted), hint)
