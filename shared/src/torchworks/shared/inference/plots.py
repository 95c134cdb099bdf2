"""Plots that several jobs draw: images under titles, and heat maps over images.

Shape letters: N images, C channels, S pixels, M heat maps of an image.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor


def draw_images(path: Path, images: Tensor, titles: list[str]) -> None:
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
    its M texts of `read`. `outlines` (N, S, S) are drawn around their ones."""
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
    """uint8 (C, S, S), gray or color."""
    pixels = image.permute(1, 2, 0).numpy()
    axis.imshow(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=255)
