"""Wrong answers to the exercises of lesson 28."""

import numpy as np


def psi__empty_cells(before, now, edges):
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = (
            np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) / len(side) for side in (before, now)
        )
        return float(((p - q) * np.log(p / q)).sum())


def psi__half_a_row_without_a_new_sum(before, now, edges):
    counts = [np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) + 0.5 for side in (before, now)]
    p, q = counts[0] / len(before), counts[1] / len(now)
    return float(((p - q) * np.log(p / q)).sum())


def psi__edge_above(before, now, edges):
    counts = [
        np.bincount(np.searchsorted(edges, s, side="right"), minlength=len(edges) + 1) + 0.5 for s in (before, now)
    ]
    p, q = (count / count.sum() for count in counts)
    return float(((p - q) * np.log(p / q)).sum())


def psi__divergence_one_way(before, now, edges):
    counts = [np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) + 0.5 for side in (before, now)]
    p, q = (count / count.sum() for count in counts)
    return float((p * np.log(p / q)).sum())


def psi__histogram_drops(before, now, edges):
    ends = np.array([before.min() - 1, *edges, before.max() + 1])
    counts = [np.histogram(side, ends)[0] + 0.5 for side in (before, now)]
    p, q = (count / count.sum() for count in counts)
    return float(((p - q) * np.log(p / q)).sum())


def ks__strictly_below(before, now):
    return float(max(abs((before < value).mean() - (now < value).mean()) for value in before))


def ks__one_side(before, now):
    return float(max((before <= value).mean() - (now <= value).mean() for value in np.union1d(before, now)))


def ks__quantiles(before, now):
    levels = np.linspace(0, 1, 101)
    return float(np.abs(np.quantile(before, levels) - np.quantile(now, levels)).max())


def ks__not_sorted(before, now):
    values = np.union1d(before, now)
    shares = [np.searchsorted(side, values, side="right") / len(side) for side in (before, now)]
    return float(np.abs(shares[0] - shares[1]).max())


def should_retrain__counts_overlaps(windows, needed):
    count = 0
    for _, _, drifted in windows:
        count = count + 1 if drifted else 0
    return count >= needed


def should_retrain__ever(windows, needed):
    return sum(drifted for _, _, drifted in windows) >= needed


def should_retrain__remembers_the_end(windows, needed):
    count, last = 0, 0
    for start, end, drifted in windows:
        count = 0 if not drifted else count
        if start >= last:
            count, last = count + drifted, end
    return count >= needed


def should_retrain__compares_with_the_one_before(windows, needed):
    count, last = 0, 0
    for start, end, drifted in windows:
        if not drifted:
            count, last = 0, 0
            continue
        if count == 0 or start >= last:
            count += 1
        last = end
    return count >= needed
