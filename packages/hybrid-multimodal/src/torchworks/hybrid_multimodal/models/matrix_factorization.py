"""Matrix factorization: the score of a user and an item is the product of their vectors.

Koren, Bell and Volinsky 2009, "Matrix Factorization Techniques for Recommender Systems"; trained by pairs (Rendle et
al. 2009, "BPR: Bayesian Personalized Ranking from Implicit Feedback", https://arxiv.org/abs/1205.2618) or by a softmax
over all items (Rendle 2021, "Item Recommendation from Implicit Feedback", https://arxiv.org/abs/2101.08769):

    s_ui = p_u · q_i + b_i
    BPR:      -log σ(s_ui - s_uj)            for an item i that the user had and a drawn one j
    softmax:  -Σ_i x_i / |x| log softmax(s_u)_i

Shape letters: N rows of a batch, I items (numbers 1 to I; 0 is padding), D size of a vector.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MatrixFactorization(nn.Module):
    """`user_embedding` (U + 1, D) and `item_embedding` (I + 1, D), as RecBole's BPR has them, and a bias for each item
    if `item_bias`."""

    def __init__(
        self, num_users: int, num_items: int, *, embed_dim: int = 64, drop_rate: float = 0.0, item_bias: bool = False
    ):
        super().__init__()
        self.user_embedding = nn.Embedding(num_users + 1, embed_dim)
        self.item_embedding = nn.Embedding(num_items + 1, embed_dim)
        self.item_bias = nn.Parameter(torch.zeros(num_items + 1)) if item_bias else None
        self.dropout = nn.Dropout(drop_rate)
        for table in (self.user_embedding, self.item_embedding):
            nn.init.xavier_normal_(table.weight)

    @torch.no_grad()
    def start_from(self, counts: Tensor) -> None:
        """Begin with the popularity of each item, (I + 1,)."""
        if self.item_bias is not None:
            self.item_bias.copy_(counts.float().add(1).log())

    def forward(self, user: Tensor, item: Tensor | None = None) -> Tensor:
        """Scores of users (N,) and items (N, K), (N, K); without items of all of them, (N, I + 1)."""
        vectors = self.dropout(self.user_embedding(user))
        if item is None:
            return self.scores(vectors)
        products = torch.linalg.vecdot(vectors[:, None], self.item_embedding(item))
        return products if self.item_bias is None else products + self.item_bias[item]

    def scores(self, vectors: Tensor) -> Tensor:
        """Scores (N, I + 1) for vectors of users (N, D)."""
        scores = vectors @ self.item_embedding.weight.T
        return scores if self.item_bias is None else scores + self.item_bias


def bpr_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Mean of -log σ(positive - negative), 0-d. RecBole's `BPRLoss` adds 1e-10 within the logarithm."""
    return -F.logsigmoid(positive - negative).mean()
