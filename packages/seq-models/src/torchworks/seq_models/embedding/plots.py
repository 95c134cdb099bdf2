"""A map of words: their vectors in two dimensions.

Shape letters: N words, D size of a vector.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

SIZE = 11.0
"""Inches."""


def two_dimensions(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Places (N, 2) in [0, 1] of vectors (N, D), by t-SNE (van der Maaten and Hinton 2008) of the angles between
    them: neighbors stay neighbors, large distances say little."""
    perplexity = min(15.0, max(1.0, (len(vectors) - 1) / 3))
    made = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=seed).fit_transform(vectors)
    low, high = made.min(0), made.max(0)
    return (made - low) / np.maximum(high - low, 1e-9)


def apart(places: np.ndarray, widths: np.ndarray, height: float, steps: int = 300) -> np.ndarray:
    """Places (N, 2) of labels of these widths (N,) and this height, pushed apart until they hardly overlap."""
    places = places.copy()
    for _ in range(steps):
        gap = places[:, None] - places[None]  # (N, N, 2)
        wanted = np.stack([(widths[:, None] + widths[None]) / 2, np.full((len(places),) * 2, height)], 2)
        over = np.where(np.eye(len(places), dtype=bool)[..., None], -1.0, wanted - np.abs(gap))
        clash = (over > 0).all(2)
        if not clash.any():
            break
        vertical = clash & (over[..., 1] <= over[..., 0])  # along the way that is shorter
        number = np.arange(len(places))
        sign = np.where(gap == 0, np.sign(number[:, None] - number)[..., None], np.sign(gap))
        push = np.stack([np.where(clash & ~vertical, over[..., 0], 0), np.where(vertical, over[..., 1], 0)], 2)
        places += 0.25 * (sign * push).sum(1)
    return places


def draw_map(path: Path, words: Sequence[str], vectors: np.ndarray, marked: Sequence[str] = ()) -> None:
    """Words at the places of their vectors (N, D), labels moved apart; those `marked` in another color."""
    widths = np.array([0.0088 * len(word) + 0.008 for word in words])
    places = apart(two_dimensions(vectors), widths, 0.019)
    figure = Figure(figsize=(SIZE, SIZE))
    axis = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    low, high = (places - widths[:, None]).min(0), (places + widths[:, None]).max(0)
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axis.axis("off")
    size = 9.5 / max(1.0, float((high - low).max()))
    for word, (x, y) in zip(words, places, strict=True):
        color, weight = ("tab:red", "bold") if word in marked else ("#222244", "normal")
        axis.text(x, y, word, fontsize=size, ha="center", va="center", color=color, weight=weight, parse_math=False)
    figure.savefig(path, dpi=110)
