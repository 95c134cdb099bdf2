"""Plots of anomalies: which columns surprise, a series with its scores, and how well scores rank.

Shape letters: N rows, D columns; T steps, C channels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from torchworks.seq_models.anomalies.metrics import stretches_of

MOST_COLUMNS = 40
MOST_CHANNELS = 6
_DPI = 100


def draw_columns(
    path: Path, names: Sequence[str], values: np.ndarray, surprise: np.ndarray, columns: Sequence[str]
) -> None:
    """Rows by columns: each cell has its value, on a ground that is the redder the more it surprises. `values` and
    `surprise` are (N, D). Of many columns those that surprise most are shown."""
    shown = np.sort(np.argsort(-surprise.max(0), kind="stable")[:MOST_COLUMNS])
    values, surprise = values[:, shown], surprise[:, shown]
    figure = Figure(figsize=(2.2 + 0.75 * len(shown), 1.2 + 0.3 * len(values)), layout="constrained")
    axis = figure.subplots()
    most = max(1.0, float(np.quantile(surprise, 0.98)))
    image = axis.imshow(surprise, aspect="auto", cmap="Reds", vmin=0, vmax=most)
    figure.colorbar(image, ax=axis, label="surprise beyond the usual")
    axis.set_xticks(range(len(shown)), [columns[i][:20] for i in shown], rotation=45, ha="right", fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    for row in range(len(values)):
        for column in range(len(shown)):
            color = "white" if surprise[row, column] > 0.6 * most else "black"
            axis.text(column, row, f"{values[row, column]:.4g}", ha="center", va="center", fontsize=7, color=color)
    figure.savefig(path, dpi=_DPI)


def draw_series(
    path: Path, series: np.ndarray, score: np.ndarray, columns: Sequence[str], first: int = 0,
    truth: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Channels (T, C), and below them the score (T,), whose alarms are above 0. `truth` (T,) marks known anomalies;
    `first` is the number of the first step."""
    shown = range(min(len(columns), MOST_CHANNELS))
    figure = Figure(figsize=(11, 1.6 * (len(shown) + 1) + 0.6), layout="constrained")
    axes = figure.subplots(len(shown) + 1, 1, sharex=True)
    steps = np.arange(first, first + len(series))
    known = [] if truth is None else stretches_of(truth > 0)
    for axis, c in zip(axes, shown, strict=False):
        axis.plot(steps, series[:, c], linewidth=0.8, color="black")
        axis.set_ylabel(columns[c][:24], fontsize=8)
    axes[-1].plot(steps, score, linewidth=0.8, color="tab:red")
    axes[-1].axhline(0, color="gray", linestyle="--", linewidth=0.8)
    axes[-1].set(
        ylabel="score", xlabel="step; above the dashed line is an alarm" + "; gray: known anomalies" * bool(known)
    )
    for axis in axes:
        for begin, end in known:
            middle, half = first + (begin + end) / 2, max((end - begin) / 2, len(series) / 500)
            axis.axvspan(middle - half, middle + half, color="tab:gray", alpha=0.4, linewidth=0)
    figure.savefig(path, dpi=_DPI)


def draw_ranking(path: Path, score: np.ndarray, label: np.ndarray, threshold: float = 0.0) -> None:
    """ROC, precision over recall, and the scores of ordinary rows and anomalies. `label` (N,) is above 0 for these."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    label = label > 0
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    roc, recall, spread = figure.subplots(1, 3)
    false, true, _ = roc_curve(label, score)
    roc.plot(np.maximum(false, 1e-4), true)
    roc.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.02), xlabel="false alarms (log)", ylabel="anomalies found")
    precision, found, _ = precision_recall_curve(label, score)
    recall.plot(found, precision)
    recall.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="anomalies found", ylabel="alarms that are right")
    low, high = np.quantile(score, 0.001), np.quantile(score, 0.999)
    bins = np.linspace(low, high, 60).tolist()
    for each, name, color in ((~label, "ordinary", "tab:blue"), (label, "anomaly", "tab:red")):
        spread.hist(np.clip(score[each], low, high), bins, alpha=0.6, label=name, color=color)
    spread.axvline(threshold, color="gray", linestyle="--", label="threshold")
    spread.set(yscale="log", xlabel="score", ylabel="rows")
    spread.legend(fontsize=8)
    figure.savefig(path, dpi=_DPI)
