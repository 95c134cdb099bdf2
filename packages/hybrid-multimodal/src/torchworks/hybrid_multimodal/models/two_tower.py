"""Two towers: a vector of the user, and one of the item that is computed from what is known of it.

Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", in the small: the tower
of items is linear in their features, that of users a table. An item that nobody has had yet has a vector all the same.

    v_i = A f_i                          f: genres, year, words of the title
    s_ui = p_u · v_i
    loss = Σ_{u, i} (s_ui - x_ui)² + λ (Σ_u |p_u|² + |A|²)

With squares and both penalties this is the regression of each user on the features, whose coefficients A^T p_u are of
rank D at most and have a small nuclear norm (Srebro, Rennie and Jaakkola 2005): users share what they have in common.

Shape letters: N rows of a batch, U users, I items (numbers from 1 on; 0 is padding), F features, D size of a vector.
"""

import torch
from torch import Tensor, nn


class TwoTower(nn.Module):
    """`features` (I + 1, F) are 0 until they are given."""

    features: Tensor

    def __init__(self, num_users: int, num_items: int, num_features: int, *, embed_dim: int = 32):
        super().__init__()
        self.user_embedding = nn.Embedding(num_users + 1, embed_dim)
        self.item_tower = nn.Linear(num_features, embed_dim, bias=False)
        self.register_buffer("features", torch.zeros(num_items + 1, num_features))
        for module in (self.user_embedding, self.item_tower):
            nn.init.normal_(module.weight, std=0.05)

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Of all users (U + 1, D) and items (I + 1, D)."""
        return self.user_embedding.weight, self.item_tower(self.features)

    def forward(self, user: Tensor) -> Tensor:
        """Scores (N, I + 1) of all items for users (N,)."""
        return self.user_embedding(user) @ self.item_tower(self.features).T
