"""Wrong answers to the exercises of lesson 29."""

import numpy as np


def auroc__ties_lost(scores, labels):
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None]
    return float((pairs > 0).mean())


def auroc__ties_won(scores, labels):
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None]
    return float((pairs >= 0).mean())


def auroc__accuracy_at_one_half(scores, labels):
    return float(((scores > 0.5) == labels).mean())


def auroc__in_the_order_given(scores, labels):
    found = np.cumsum(labels) / labels.sum()
    return float(found[labels == 0].mean())


def paired_interval__each_its_own_images(first, second, repeats, rng):
    n = len(first)
    values = [second[rng.integers(0, n, n)].mean() - first[rng.integers(0, n, n)].mean() for _ in range(repeats)]
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def paired_interval__without_replacement(first, second, repeats, rng):
    values = []
    for _ in range(repeats):
        rows = rng.permutation(len(first))
        values.append((second[rows] - first[rows]).mean())
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def paired_interval__first_minus_second(first, second, repeats, rng):
    values = []
    for _ in range(repeats):
        rows = rng.integers(0, len(first), len(first))
        values.append((first[rows] - second[rows]).mean())
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def paired_interval__whole_range(first, second, repeats, rng):
    values = []
    for _ in range(repeats):
        rows = rng.integers(0, len(first), len(first))
        values.append((second[rows] - first[rows]).mean())
    return float(min(values)), float(max(values))


def _cost(part, threshold, missed, false_alarm):
    scores, labels = part
    said = scores >= threshold
    return float((missed * (labels == 1) * ~said + false_alarm * (labels == 0) * said).mean())


def choose_threshold__on_the_test_part(valid, test, missed, false_alarm):
    best = min([*np.unique(test[0]), np.inf], key=lambda each: _cost(test, each, missed, false_alarm))
    return float(best), _cost(test, best, missed, false_alarm)


def choose_threshold__reports_validation(valid, test, missed, false_alarm):
    best = min([*np.unique(valid[0]), np.inf], key=lambda each: _cost(valid, each, missed, false_alarm))
    return float(best), _cost(valid, best, missed, false_alarm)


def choose_threshold__costs_swapped(valid, test, missed, false_alarm):
    best = min([*np.unique(valid[0]), np.inf], key=lambda each: _cost(valid, each, false_alarm, missed))
    return float(best), _cost(test, best, missed, false_alarm)


def choose_threshold__never_nothing(valid, test, missed, false_alarm):
    best = min(np.unique(valid[0]), key=lambda each: _cost(valid, each, missed, false_alarm))
    return float(best), _cost(test, best, missed, false_alarm)


def choose_threshold__largest_of_equals(valid, test, missed, false_alarm):
    best = min([np.inf, *np.unique(valid[0])[::-1]], key=lambda each: _cost(valid, each, missed, false_alarm))
    return float(best), _cost(test, best, missed, false_alarm)
