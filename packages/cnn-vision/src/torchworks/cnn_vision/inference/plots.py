"""The pictures of an evaluation: confusion matrix, ROC curves, calibration, the most confident mistakes, heat.

Shape letters: N images, C channels, S pixels, K classes or findings, M heats of an image.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.functional.classification import binary_roc

from torchworks.cnn_vision.classification.metrics import share_interval

MOST_NUMBERED = 25
"""Classes up to which the cells of the confusion matrix hold their numbers."""


def draw_confusion(path: Path, matrix: Tensor, names: tuple[str, ...]) -> None:
    """Shares of each true class (rows) by colour, counts as numbers."""
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
            colour = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, str(int(matrix[row, column])), ha="center", va="center", color=colour, fontsize=8)
    axis.set(xlabel="predicted", ylabel="true")
    figure.savefig(path, dpi=110)


def draw_calibration(path: Path, probability: Tensor, label: Tensor, bins: int = 10) -> None:
    """How often the answer is right, against how sure the classifier was; below, how many answers were so sure."""
    confidence, predicted = probability.max(1)
    right = (predicted == label).float()
    figure = Figure(figsize=(4.6, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    _draw_reliability(above, below, confidence, right, bins)
    above.set(ylabel="accuracy")
    above.legend(["as sure as right", "this classifier", "95 % interval"])
    below.set(xlabel="confidence", ylabel="images")
    figure.savefig(path, dpi=110)


def _draw_reliability(above: Any, below: Any, said: Tensor, true: Tensor, bins: int) -> None:
    """The share of what is `true` (N,) in each bin of what was `said` (N,) with Wilson's 95 % interval, and the bins'
    sizes."""
    place = (said * bins).long().clamp(max=bins - 1)
    count = torch.bincount(place, minlength=bins)
    share = torch.bincount(place, weights=true.float(), minlength=bins) / count.clamp(min=1)
    centre = torch.bincount(place, weights=said, minlength=bins) / count.clamp(min=1)
    seen = count > 0
    above.plot([0, 1], [0, 1], linestyle="--", color="grey")
    true_count = torch.bincount(place, weights=true.float(), minlength=bins).long()
    spans = [share_interval(right, n) for right, n in zip(true_count[seen].tolist(), count[seen].tolist(), strict=True)]
    above.plot(centre[seen].numpy(), share[seen].numpy(), marker="o")
    above.vlines(centre[seen].numpy(), *zip(*spans, strict=True), color="tab:blue", alpha=0.4)
    above.set(xlim=(0, 1), ylim=(0, 1.02))
    below.bar([(i + 0.5) / bins for i in range(bins)], count.numpy(), width=0.9 / bins)


def draw_findings_calibration(
    path: Path, probability: Tensor, target: Tensor, names: Sequence[str], bins: int = 10
) -> None:
    """A panel for each finding of `probability` and `target` (N, K): how many images have it, against how probable it
    was said to be; below, how many images that was said of, on a logarithmic scale."""
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
        _draw_reliability(above, below, probability[:, k], target[:, k], bins)
        above.set(title=name)
        below.set(xlabel="probability", yscale="log", ylim=(0.7, 1.5 * len(target)))
        if not k % columns:
            above.set(ylabel="share with the finding")
            below.set(ylabel="images")
    figure.savefig(path, dpi=110)


def draw_roc(
    path: Path, probability: Tensor, target: Tensor, names: Sequence[str], thresholds: Sequence[float]
) -> None:
    """ROC curves of all findings of `probability` and `target` (N, K), each with a dot at its threshold; findings that
    no image has, or all have, are left out."""
    figure = Figure(figsize=(5.6, 5.4), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], linestyle="--", color="grey", label="chance")
    for k, name in enumerate(names):
        has, found = target[:, k] == 1, probability[:, k] >= thresholds[k]
        if has.all() or not has.any():
            continue
        false_alarms, hits, _ = binary_roc(probability[:, k].contiguous(), target[:, k].contiguous())
        (curve,) = axis.plot(false_alarms.numpy(), hits.numpy(), label=name)
        point = found[~has].float().mean().item(), found[has].float().mean().item()
        axis.plot(*point, marker="o", markersize=9, color=curve.get_color(), markeredgecolor="black", clip_on=False)
    axis.set(xlabel="false alarms (1 − specificity)", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.legend(loc="lower right", title="dots: at the threshold")
    figure.savefig(path, dpi=110)


def draw_mistakes(path: Path, images: Tensor, titles: list[str]) -> None:
    """Images uint8 (M, C, S, S) under their titles; a line of text if there are none."""
    columns = min(6, max(1, len(images)))
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(max(4.0, 1.9 * columns), 2.3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis in axes:
        axis.set_axis_off()
    for axis, image, title in zip(axes, images, titles, strict=False):
        _draw_image(axis, image)
        axis.set_title(title, fontsize=8)
    if not len(images):
        axes[0].text(0.5, 0.5, "no mistakes", ha="center", va="center")
    figure.savefig(path, dpi=110)


def draw_heat(
    path: Path,
    images: Tensor,
    heat: Tensor,
    titles: Sequence[str],
    read: Sequence[Sequence[str]],
    outlines: Tensor | None = None,
) -> None:
    """Each image uint8 (N, C, S, S) under its title, and beside it the same with `heat` (N, M, S, S) over it, under
    the M texts of what was `read` in it. `outlines` (N, S, S) are drawn around their ones."""
    each = 1 + heat.shape[1]
    columns = each * max(1, 6 // each)
    rows = -(-len(images) * each // columns)
    figure = Figure(figsize=(1.6 * columns, 1.95 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis in axes:
        axis.set_axis_off()
    for i, image in enumerate(images):
        plain, *covered = axes[each * i : each * (i + 1)]
        for axis in (plain, *covered):
            _draw_image(axis, image)
        plain.set_title(titles[i], fontsize=8)
        if outlines is not None and outlines[i].any():
            plain.contour(outlines[i].numpy(), [0.5], colors="cyan", linewidths=0.8)
        for axis, hot, said in zip(covered, heat[i], read[i], strict=True):
            axis.imshow(hot.numpy(), cmap="inferno", alpha=0.55, vmin=0, vmax=1, interpolation="bilinear")
            axis.set_title(said, fontsize=8)
    figure.savefig(path, dpi=110)


def _draw_image(axis: Any, image: Tensor) -> None:
    """uint8 (C, S, S), grey or colour."""
    pixels = image.permute(1, 2, 0).numpy()
    axis.imshow(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=255)
