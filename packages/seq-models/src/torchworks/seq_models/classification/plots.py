"""Plots of a classifier: confusion matrix, calibration, and the words that decide.

Shape letters: N texts, K classes.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from torch import Tensor

from torchworks.shared.classification.metrics import share_interval

MOST_NUMBERED = 25
"""Classes up to which the cells of the confusion matrix show their counts."""
_DPI = 110


def draw_confusion(path: Path, matrix: Tensor, names: tuple[str, ...]) -> None:
    """Shares of each true class (rows) by color, counts as numbers."""
    k = len(names)
    side = min(12.0, 2.8 + 0.42 * k)
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
    figure.savefig(path, dpi=_DPI)


def draw_calibration(path: Path, probability: Tensor, label: Tensor, bins: int = 10, *, noun: str = "texts") -> None:
    """Reliability diagram: accuracy against confidence, with 95 % intervals; below, how many texts, or what
    `noun` says, are in each bin."""
    confidence, predicted = probability.max(1)
    place = (confidence * bins).long().clamp(max=bins - 1)
    count = place.bincount(minlength=bins)
    right = place.bincount((predicted == label).double(), minlength=bins)
    seen = (count > 0).nonzero().flatten().tolist()
    centers = [confidence[place == i].mean().item() for i in seen]
    figure = Figure(figsize=(4.6, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    above.plot([0, 1], [0, 1], linestyle="--", color="gray", label="perfectly calibrated")
    above.plot(centers, [(right[i] / count[i]).item() for i in seen], marker="o", label="this classifier")
    spans = [share_interval(int(right[i]), int(count[i])) for i in seen]
    above.vlines(centers, *zip(*spans, strict=True), color="tab:blue", alpha=0.4, label="95 % interval")
    above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
    above.legend(loc="best")
    below.bar([(i + 0.5) / bins for i in range(bins)], count.tolist(), width=0.9 / bins)
    below.set(xlabel="confidence", ylabel=noun)
    figure.savefig(path, dpi=_DPI)


Colored = tuple[str, Sequence[tuple[str, float]]]
"""A title, and words with a number each: above 0 speaks for the predicted class, below 0 against it."""


def draw_words(path: Path, texts: Sequence[Colored], columns: int = 96) -> None:
    """Texts whose words are colored: blue speaks for the predicted class, red against it, the stronger the deeper.
    A line holds about `columns` characters."""
    lines: list[list[tuple[str, str | None]]] = []
    for title, words in texts:
        lines.append([(title, None)])
        lines += _wrapped([(word, _color(value, words)) for word, value in words], columns)
        lines.append([])
    font = FontProperties(family="monospace", size=9)
    width, height = 0.0755 * columns + 0.3, 0.19 * max(1, len(lines)) + 0.2
    figure = Figure(figsize=(width, height))
    for row, line in enumerate(lines):
        place = 0
        for word, color in line:
            x, y = (0.15 + 0.0755 * place) / width, 1 - (0.25 + 0.19 * row) / height
            shown = word.replace("$", r"\$")  # a pair of them would begin a formula
            if color is None:
                figure.text(x, y, shown, fontsize=9, fontweight="bold")
            else:
                box = {"facecolor": color, "edgecolor": "none", "pad": 1.0}
                figure.text(x, y, shown, bbox=box, fontproperties=font)
            place += len(word) + 1
    figure.savefig(path, dpi=_DPI)


def _color(value: float, words: Sequence[tuple[str, float]]) -> str:
    """White for 0, full blue or red for the strongest word of the text."""
    share = abs(value) / max(1e-9, *(abs(other) for _, other in words))
    rest = round(255 * (1 - 0.6 * share))
    return f"#{rest:02x}{rest:02x}ff" if value > 0 else f"#ff{rest:02x}{rest:02x}"


def _wrapped(words: Sequence[tuple[str, str | None]], columns: int) -> list[list[tuple[str, str | None]]]:
    lines: list[list[tuple[str, str | None]]] = [[]]
    used = 0
    for word, color in words:
        short = word if len(word) <= columns else word[: columns - 1] + "…"
        if lines[-1] and used + len(short) > columns:
            lines.append([])
            used = 0
        lines[-1].append((short, color))
        used += len(short) + 1
    return lines
