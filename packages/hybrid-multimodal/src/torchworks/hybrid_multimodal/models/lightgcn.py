"""LightGCN: vectors of users and items, averaged over the graph of who had what.

He et al. 2020, "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation",
https://arxiv.org/abs/2002.02126.

    e_u⁽ᵏ⁺¹⁾ = Σ_{i of u} e_i⁽ᵏ⁾ / √(|N_u| |N_i|)       eq. 3; no weights, no activation
    e = Σ_k e⁽ᵏ⁾ / (K + 1)                               eq. 4
    s_ui = e_u · e_i

The graph is of the training part alone. Penalties belong to e⁽⁰⁾, the only parameters. Graphs of this size are fastest
as a dense matrix: 12 ms for both directions, where gathering and adding rows takes 68.

Shape letters: N rows of a batch, U users, I items (numbers from 1 on; 0 is padding), D size of a vector.
"""

import torch
from torch import Tensor, nn

MOST_CELLS = 10_000_000
"""Of the matrix of users and items."""


class LightGCN(nn.Module):
    """`embedding` (U + 1 + I + 1, D), as in torch_geometric: users, then items. `graph` (U + 1, I + 1) is 0 until it is
    given by `set_graph`."""

    graph: Tensor

    def __init__(self, num_users: int, num_items: int, *, embed_dim: int = 64, layers: int = 2, drop_rate: float = 0.0):
        super().__init__()
        self.num_users, self.layers = num_users, layers
        self.embedding = nn.Embedding(num_users + num_items + 2, embed_dim)
        self.dropout = nn.Dropout(drop_rate)
        self.register_buffer("graph", torch.zeros(num_users + 1, num_items + 1))
        nn.init.xavier_uniform_(self.embedding.weight)

    def set_graph(self, x: Tensor) -> None:
        """From which user had which item, (U + 1, I + 1) of 0 and 1: x_ui / √(|N_u| |N_i|)."""
        users, items = x.sum(1).clamp(min=1), x.sum(0).clamp(min=1)
        self.graph.copy_(x / (users[:, None] * items).sqrt())

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Of all users (U + 1, D) and items (I + 1, D)."""
        users, items = self.embedding.weight.split([self.num_users + 1, self.graph.shape[1]])
        total_users, total_items = users, items
        for _ in range(self.layers):
            users, items = self.graph @ items, self.graph.T @ users
            total_users, total_items = total_users + users, total_items + items
        return total_users / (self.layers + 1), total_items / (self.layers + 1)

    def forward(self, user: Tensor, item: Tensor | None = None) -> Tensor:
        """Scores of users (N,) and items (N, K), (N, K); without items of all of them, (N, I + 1)."""
        users, items = self.vectors()
        vectors = self.dropout(users[user])
        return vectors @ items.T if item is None else torch.linalg.vecdot(vectors[:, None], items[item])
