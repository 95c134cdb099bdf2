"""FT-Transformer: a Transformer whose tokens are the columns of a row.

Gorishniy, Rubachev, Khrulkov and Babenko 2021, "Revisiting Deep Learning Models for Tabular Data" (arXiv:2106.11959),
section 3.3 and appendix E.

The idea: each column becomes a vector of its own (a feature tokenizer), and columns look at each other by attention, so
that what two of them mean together need not be found by one wide layer. A token before all gathers the answer:

    T_j = b_j + x_j W_j                   of a number                                             (section 3.3)
    T_j = b_j + W_j[x_j]                  of a category
    answer = Linear(relu(norm(T_cls)))    after L blocks of attention and a gated FFN, norms before each

As in the paper the very first norm is left out, and the FFN is ReGLU (Shazeer 2020): relu(a) ⊙ b.

What differs from the paper: a number that is missing has a vector of its own instead of x_j W_j.

Shape letters: N rows, F numbers, G columns of categories, K answers, T = 1 + F + G tokens, E embed_dim.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchworks.seq_models.models.attention import MultiHeadAttention


class FeatureTokenizer(nn.Module):
    """Numbers (N, F), which are known (N, F), categories (N, G) → tokens (N, T, E), the first of them for the answer.
    All begin uniform in ±1/√E, as in the paper."""

    def __init__(self, numbers: int, sizes: Sequence[int], embed_dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(numbers, embed_dim))
        self.missing = nn.Parameter(torch.empty(numbers, embed_dim))
        self.bias = nn.Parameter(torch.empty(numbers + len(sizes), embed_dim))
        self.answer = nn.Parameter(torch.empty(1, 1, embed_dim))
        self.categories = nn.ModuleList(nn.Embedding(size, embed_dim) for size in sizes)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(embed_dim), 1 / math.sqrt(embed_dim))

    def forward(self, numbers: Tensor, known: Tensor, categories: Tensor) -> Tensor:
        known = known[..., None]
        tokens = numbers[..., None] * self.weight * known + self.missing * (1 - known)  # (N, F, E)
        named = [embed(categories[:, i])[:, None] for i, embed in enumerate(self.categories)]
        tokens = torch.cat([tokens, *named], 1) + self.bias
        return torch.cat([self.answer.expand(tokens.shape[0], -1, -1), tokens], 1)


class Block(nn.Module):
    """Attention and FFN, each added to what was there."""

    def __init__(self, embed_dim: int, num_heads: int, drop_rate: float, *, first: bool):
        super().__init__()
        self.norm1 = nn.Identity() if first else nn.LayerNorm(embed_dim)
        self.attention = MultiHeadAttention(embed_dim, num_heads, drop_rate=drop_rate)
        self.norm2 = nn.LayerNorm(embed_dim)
        hidden = int(embed_dim * 4 / 3)
        self.wide, self.narrow = nn.Linear(embed_dim, 2 * hidden), nn.Linear(hidden, embed_dim)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        a, b = self.wide(self.norm2(x)).chunk(2, -1)
        return x + self.narrow(self.dropout(a.relu() * b))


class FTTransformer(nn.Module):
    """Numbers (N, F), which are known (N, F), categories (N, G) → logits or numbers (N, K)."""

    def __init__(
        self,
        numbers: int,
        sizes: Sequence[int],
        outputs: int,
        *,
        embed_dim: int = 64,
        depth: int = 2,
        num_heads: int = 4,
        drop_rate: float = 0.1,
    ):
        super().__init__()
        self.tokens = FeatureTokenizer(numbers, sizes, embed_dim)
        self.blocks = nn.Sequential(*(Block(embed_dim, num_heads, drop_rate, first=i == 0) for i in range(depth)))
        self.norm, self.head = nn.LayerNorm(embed_dim), nn.Linear(embed_dim, outputs)

    def forward(self, numbers: Tensor, known: Tensor, categories: Tensor) -> Tensor:
        x = self.blocks(self.tokens(numbers, known, categories))
        return self.head(self.norm(x[:, 0]).relu())
