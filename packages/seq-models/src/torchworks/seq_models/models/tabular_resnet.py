"""A residual net for rows of a table.

Gorishniy, Rubachev, Khrulkov and Babenko 2021, "Revisiting Deep Learning Models for Tabular Data" (arXiv:2106.11959),
section 3.2.

The idea: blocks that add something to what they were given, as residual nets for images do:

    ResNet(x) = Linear(relu(norm(block(… block(Linear(x))))))
    block(x) = x + dropout(Linear(dropout(relu(Linear(norm(x))))))

What differs from the paper: a number may be missing, which a 0 beside it says; the norm is that of a layer and not of a
batch, so that a row's answer does not depend on others, in training either.

Shape letters: N rows, F numbers, G columns of categories, K answers, W width.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from torchworks.seq_models.models.tabular_mlp import RowVector


class Block(nn.Module):
    def __init__(self, width: int, drop_rate: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.narrow(self.dropout(self.wide(self.norm(x)).relu())))


class TabularResNet(nn.Module):
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
        self.first = nn.Linear(self.row.size, width)
        self.blocks = nn.Sequential(*(Block(width, drop_rate) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, outputs)

    def forward(self, numbers: Tensor, known: Tensor, categories: Tensor) -> Tensor:
        x = self.blocks(self.first(self.row(numbers, known, categories)))
        return self.head(self.norm(x).relu())
