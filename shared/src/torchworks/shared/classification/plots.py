"""Plots of a classifier's evaluation: confusion matrix and calibration.

Shape letters: N images, K classes.
"""

from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from torchworks.shared.classification.metrics import share_interval

MOST_NUMBERED = 25
"""Classes up to which the cells of the confusion matrix show their counts."""


def draw_confusion(path: Path, matrix: Tensor, names: tuple[str, ...]) -> None:
    """Shares of each true class (rows) by color, counts as numbers."""
    k = len(names)
    side = min(12.0, 2.5 + 0.42 * k)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axis = figure.subplots()
    shares = matrix / matrix.sum(1, keepdim=True).clamp(min=1)
    image = axis.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
    if k <= MOST_NUMBERED:
        axis.set_xticks(range(k), names, rotation=90 if max(map(len, names)) > 2 else 0)
        axis.set_yticks(range(k), names)
        for row, column in matrix.nonzero().tolist():
            color = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, str(int(matrix[row, column])), ha="center", va="center", color=color, fontsize=8)
    axis.set(xlabel="predicted", ylabel="true")
    figure.savefig(path, dpi=110)


def draw_calibration(path: Path, probability: Tensor, label: Tensor, bins: int = 10) -> None:
    """Reliability diagram: accuracy against confidence; below, the number of images with that confidence."""
    confidence, predicted = probability.max(1)
    right = (predicted == label).float()
    figure = Figure(figsize=(4.6, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    draw_reliability(above, below, confidence, right, bins)
    above.set(ylabel="accuracy")
    above.legend(["perfectly calibrated", "this classifier", "95 % interval"])
    below.set(xlabel="confidence", ylabel="images")
    figure.savefig(path, dpi=110)


def draw_reliability(above: Any, below: Any, said: Tensor, true: Tensor, bins: int) -> None:
    """The share of `true` (N,) in each bin of the probability `said` (N,) with Wilson's 95 % interval; in `below` the
    sizes of the bins."""
    place = (said * bins).long().clamp(max=bins - 1)
    count = torch.bincount(place, minlength=bins)
    share = torch.bincount(place, weights=true.float(), minlength=bins) / count.clamp(min=1)
    centre = torch.bincount(place, weights=said, minlength=bins) / count.clamp(min=1)
    seen = count > 0
    above.plot([0, 1], [0, 1], linestyle="--", color="gray")
    true_count = torch.bincount(place, weights=true.float(), minlength=bins).long()
    spans = [share_interval(right, n) for right, n in zip(true_count[seen].tolist(), count[seen].tolist(), strict=True)]
    above.plot(centre[seen].numpy(), share[seen].numpy(), marker="o")
    above.vlines(centre[seen].numpy(), *zip(*spans, strict=True), color="tab:blue", alpha=0.4)
    above.set(xlim=(0, 1), ylim=(0, 1.02))
    below.bar([(i + 0.5) / bins for i in range(bins)], count.numpy(), width=0.9 / bins)
