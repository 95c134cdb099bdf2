"""NeuMF: a product of vectors and a network of other vectors, added in the last layer.

He et al. 2017, "Neural Collaborative Filtering", https://arxiv.org/abs/1708.05031, eq. 12:

    g = p_u ⊙ q_i                                        generalized matrix factorization
    m = relu(W_L … relu(W₁ [p'_u, q'_i] + b₁) …)         multilayer perceptron
    s_ui = hᵀ [g, m]

Trained by the binary cross-entropy of each pair, with drawn items as 0 (eq. 7).

Shape letters: N rows of a batch, K items of a row, I items (numbers 1 to I; 0 is padding), D size of a vector.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn


class NeuMF(nn.Module):
    """The layers have sizes D, D / 2, … after the pair of vectors, 2 D. A user is a row of a table, so that strangers
    have no scores."""

    def __init__(self, num_users: int, num_items: int, *, embed_dim: int = 64, layers: int = 2, drop_rate: float = 0.0):
        super().__init__()
        self.user_mf_embedding = nn.Embedding(num_users + 1, embed_dim)
        self.item_mf_embedding = nn.Embedding(num_items + 1, embed_dim)
        self.user_mlp_embedding = nn.Embedding(num_users + 1, embed_dim)
        self.item_mlp_embedding = nn.Embedding(num_items + 1, embed_dim)
        sizes = [2 * embed_dim, *(max(4, embed_dim >> depth) for depth in range(layers))]
        self.mlp_layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.dropout = nn.Dropout(drop_rate)
        self.predict_layer = nn.Linear(embed_dim + sizes[-1], 1)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, user: Tensor, item: Tensor | None = None) -> Tensor:
        """Scores of users (N,) and items (N, K), (N, K); without items of all of them, (N, I + 1)."""
        if item is None:
            item = torch.arange(self.item_mf_embedding.num_embeddings, device=user.device).expand(user.shape[0], -1)
        product = self.user_mf_embedding(user)[:, None] * self.item_mf_embedding(item)
        pair = [self.user_mlp_embedding(user)[:, None].expand(-1, item.shape[1], -1), self.item_mlp_embedding(item)]
        hidden = torch.cat(pair, 2)
        for layer in self.mlp_layers:
            hidden = torch.relu(layer(self.dropout(hidden)))
        return self.predict_layer(torch.cat([product, hidden], 2)).squeeze(2)
