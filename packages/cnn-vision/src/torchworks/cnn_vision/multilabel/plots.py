"""Plots of a multi-label classifier's evaluation: ROC curves and calibration.

Shape letters: N images, K labels.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from torchworks.shared.classification.plots import draw_reliability
from torchworks.shared.classification.ranking import roc_curve


def draw_calibration(path: Path, probability: Tensor, target: Tensor, names: Sequence[str], bins: int = 10) -> None:
    """A reliability diagram for each label of `probability` and `target` (N, K): the share of images with the label
    against the predicted probability; below, the number of images with that probability, on a logarithmic scale."""
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(0.6 + 3.0 * columns, 4.2 * rows), layout="constrained")
    axes = figure.subplots(2 * rows, columns, height_ratios=(3, 1) * rows, sharex=True, squeeze=False)
    for axis in axes.flatten()[len(names) :]:
        axis.set_axis_off()
    for k, name in enumerate(names):
        above, below = axes[2 * (k // columns) : 2 * (k // columns) + 2, k % columns]
        for axis in (above, below):
            axis.set_axis_on()
        draw_reliability(above, below, probability[:, k], target[:, k], bins)
        above.set(title=name)
        below.set(xlabel="probability", yscale="log", ylim=(0.7, 1.5 * len(target)))
        if not k % columns:
            above.set(ylabel="share with the label")
            below.set(ylabel="images")
    figure.savefig(path, dpi=110)


def draw_roc(
    path: Path, probability: Tensor, target: Tensor, names: Sequence[str], thresholds: Sequence[float]
) -> None:
    """ROC curves of all labels of `probability` and `target` (N, K), each with a dot at its threshold; labels that
    no image has, or all have, are left out."""
    figure = Figure(figsize=(5.6, 5.4), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], linestyle="--", color="gray", label="chance")
    for k, name in enumerate(names):
        has, positive = target[:, k] == 1, probability[:, k] >= thresholds[k]
        if has.all() or not has.any():
            continue
        false_alarms, hits = roc_curve(probability[:, k], has)
        (curve,) = axis.plot(false_alarms.numpy(), hits.numpy(), label=name)
        point = positive[~has].float().mean().item(), positive[has].float().mean().item()
        axis.plot(*point, marker="o", markersize=9, color=curve.get_color(), markeredgecolor="black", clip_on=False)
    axis.set(xlabel="false alarms (1 − specificity)", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.legend(loc="lower right", title="dots: at the threshold")
    figure.savefig(path, dpi=110)
