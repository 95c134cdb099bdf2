"""The pictures of a classifier's evaluation: confusion matrix, calibration, the most confident mistakes."""

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

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
    place = (confidence * bins).long().clamp(max=bins - 1)
    count = torch.bincount(place, minlength=bins)
    accuracy = torch.bincount(place, weights=right, minlength=bins) / count.clamp(min=1)
    centre = torch.bincount(place, weights=confidence, minlength=bins) / count.clamp(min=1)
    figure = Figure(figsize=(4.6, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    seen = count > 0
    above.plot([0, 1], [0, 1], linestyle="--", color="grey", label="as sure as right")
    above.plot(centre[seen].numpy(), accuracy[seen].numpy(), marker="o", label="this classifier")
    above.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    above.legend()
    below.bar([(i + 0.5) / bins for i in range(bins)], count.numpy(), width=0.9 / bins)
    below.set(xlabel="confidence", ylabel="images")
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
        pixels = image.permute(1, 2, 0).numpy()
        axis.imshow(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=255)
        axis.set_title(title, fontsize=8)
    if not len(images):
        axes[0].text(0.5, 0.5, "no mistakes", ha="center", va="center")
    figure.savefig(path, dpi=110)


def draw_heat(path: Path, images: Tensor, heat: Tensor, titles: list[str], read: list[str]) -> None:
    """Pairs: an image uint8 (N, C, S, S) under its title, and the same with `heat` (N, S, S) over it, under what was
    read in it."""
    pairs = 3
    rows = -(-len(images) // pairs)
    figure = Figure(figsize=(9.6, 1.95 * rows), layout="constrained")
    axes = figure.subplots(rows, 2 * pairs, squeeze=False).flatten()
    for axis in axes:
        axis.set_axis_off()
    for i, image in enumerate(images):
        pixels = image.permute(1, 2, 0).numpy()
        pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        plain, covered = axes[2 * i : 2 * i + 2]
        for axis in (plain, covered):
            axis.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        covered.imshow(heat[i].numpy(), cmap="inferno", alpha=0.55, vmin=0, vmax=1, interpolation="bilinear")
        plain.set_title(titles[i], fontsize=8)
        covered.set_title(read[i], fontsize=8)
    figure.savefig(path, dpi=110)
