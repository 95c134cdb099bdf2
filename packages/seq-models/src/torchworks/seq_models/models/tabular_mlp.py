"""A multi-layer perceptron for rows of a table.

Gorishniy, Rubachev, Khrulkov and Babenko 2021, "Revisiting Deep Learning Models for Tabular Data" (arXiv:2106.11959),
section 3.1.

The idea: the plainest net, tuned with care, is a baseline that many a special one for tables does not beat.

    MLP(x) = Linear(block(… block(x))),    block(x) = dropout(relu(Linear(x)))

What differs from the paper: a number may be missing, which a 0 beside it says.

Shape letters: N rows, F numbers, G columns of categories, K answers, W width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RowVector(nn.Module):
    """Numbers (N, F), standardized and 0 where they are not known, which are known (N, F) and categories, int64 (N, G),
    → (N, `size`): both, and a vector for each category. `sizes` are the numbers of categories of each column."""

    def __init__(self, numbers: int, sizes: Sequence[int], category_dim: int):
        super().__init__()
        self.categories = nn.ModuleList(nn.Embedding(size, category_dim) for size in sizes)
        self.size = 2 * numbers + len(sizes) * category_dim

    def forward(self, numbers: Tensor, known: Tensor, categories: Tensor) -> Tensor:
        vectors = [embed(categories[:, i]) for i, embed in enumerate(self.categories)]
        return torch.cat([numbers, 1 - known, *vectors], 1)


class TabularMLP(nn.Module):
    """Numbers (N, F), which are known (N, F), categories (N, G) → logits or numbers (N, K)."""

    def __init__(
        self,
        numbers: int,
        sizes: Sequence[int],
        outputs: int,
        *,
        width: int = 128,
        depth: int = 2,
        category_dim: int = 8,
        drop_rate: float = 0.1,
    ):
        super().__init__()
        self.row = RowVector(numbers, sizes, category_dim)
        widths = [self.row.size, *[width] * depth]
        layers: list[nn.Module] = []
        for i in range(depth):
            layers += [nn.Linear(widths[i], widths[i + 1]), nn.ReLU(), nn.Dropout(drop_rate)]
        self.blocks = nn.Sequential(*layers)
        self.head = nn.Linear(width, outputs)

    def forward(self, numbers: Tensor, known: Tensor, categories: Tensor) -> Tensor:
        return self.head(self.blocks(self.row(numbers, known, categories)))
