"""Which columns decide: permutation importance (Breiman 2001, "Random Forests", section 10).

The cells of one column are shuffled among the rows, so that it says nothing of them any more while it looks as before;
how much worse the answers then are is what the column is worth to the model. Two columns that say the same stand in for
each other, so that each looks worth less than both.

Shape letters: N rows, R repeats.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from torchworks.seq_models.data.table_columns import Columns
from torchworks.seq_models.tabular.metrics import class_scores, number_scores
from torchworks.seq_models.tabular.scaling import Scaling
from torchworks.seq_models.tabular.task import answered

MOST_DRAWN = 30


@dataclass(frozen=True)
class Importance:
    """How much worse the model is without a column: points of accuracy lost (0..1), or error gained; and its deviation
    over the repeats. `nll` is the gain in cross-entropy, which is 0 for numbers."""

    column: str
    worse: float
    deviation: float
    nll: float


def importances(
    net: nn.Module, rows: Mapping[str, Tensor], columns: Columns, scaling: Scaling, *, repeats: int, seed: int
) -> list[Importance]:
    """Of each column, the most important first."""
    base = _scores(net, rows, columns, scaling)
    found = []
    for name in columns.names:
        draw = torch.Generator().manual_seed(seed)
        each = []
        for _ in range(repeats):
            order = torch.randperm(len(rows[name]), generator=draw)
            each.append(_scores(net, {**rows, name: rows[name][order]}, columns, scaling))
        worse = torch.tensor([score[0] - base[0] for score in each])
        nll = torch.tensor([score[1] - base[1] for score in each])
        found.append(Importance(name, worse.mean().item(), worse.std(correction=0).item(), nll.mean().item()))
    return sorted(found, key=lambda each: (-each.worse, -each.nll, each.column))


def _scores(net: nn.Module, rows: Mapping[str, Tensor], columns: Columns, scaling: Scaling) -> tuple[float, float]:
    """The share of wrong classes and nats, or RMSE and 0."""
    answer, truth = answered(net, rows, columns, scaling), rows[columns.answer]
    if columns.classes:
        scores = class_scores(answer, truth)
        return 1 - float(scores["accuracy"]), float(scores["nll"])
    return float(number_scores(answer, truth)["rmse"]), 0.0


def draw(file: Path, found: list[Importance], what: str) -> None:
    """Bars, the most important column at the top."""
    shown = found[:MOST_DRAWN][::-1]
    figure = Figure(figsize=(7, 1.2 + 0.24 * len(shown)), layout="constrained")
    axis = figure.subplots()
    values, errors = [each.worse for each in shown], [each.deviation for each in shown]
    axis.barh([each.column for each in shown], values, xerr=errors, color="#3b6fb6", ecolor="#999999")
    axis.axvline(0, color="#555555", linewidth=0.8)
    axis.set_xlabel(what)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)
