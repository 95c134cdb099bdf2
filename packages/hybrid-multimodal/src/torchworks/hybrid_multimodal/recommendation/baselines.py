"""Recommenders without training: what a net is to be compared with. On data of this size some of them are better.

Most are a matrix of weights between items, W (I + 1, I + 1): the score of item j is Σ_i x_i W_ij over the items i that
a user had, with x_i = 1 or, where age counts, less for what is long ago. `X` is the matrix of users and items, 0 or 1,
(U, I + 1); row and column 0 are padding and remain 0.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from torchworks.shared.config import UserError

MOST_ITEMS = 20_000
"""Items up to which a matrix between items is made."""
EASE_L2, NEIGHBORS, RP3_BETA, AGE_DECAY = 300.0, 100, 0.6, 0.9
RIDGE_L2 = 100.0


def popularity(x: Tensor) -> Tensor:
    """How often each item was chosen, (I + 1,). RecBole's `Pop` counts an item once a batch instead."""
    return x.sum(0)


def item_knn(x: Tensor, neighbors: int = NEIGHBORS) -> Tensor:
    """W_ij = cosine between the columns i and j of X, of the `neighbors` items most like j; else 0 (Deshpande and
    Karypis 2004)."""
    norm = x.norm(dim=0).clamp(min=1e-9)
    cosine = (x.T @ x) / (norm[:, None] * norm)
    return _largest(cosine.fill_diagonal_(0), neighbors)


def rp3_beta(x: Tensor, beta: float = RP3_BETA) -> Tensor:
    """Walks of three steps over the graph of users and items, divided by popularity^β (Paudel et al. 2017):
    W = D_item⁻¹ Xᵀ D_user⁻¹ X, W_ij ← W_ij / popularity_j^β."""
    users, items = x.sum(1).clamp(min=1), x.sum(0).clamp(min=1)
    walk = (x / items).T @ (x / users[:, None])
    return (walk / items**beta).fill_diagonal_(0)


def ease(x: Tensor, l2: float = EASE_L2) -> Tensor:
    """Linear autoencoder without a diagonal, in closed form (Steck 2019, "Embarrassingly Shallow Autoencoders", eq. 8):
    P = (XᵀX + λ)⁻¹, W_ij = -P_ij / P_jj. Computed in float64."""
    gram = x.T.double() @ x.double()
    gram.diagonal().add_(l2)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    weights = inverse.div_(-inverse.diagonal()).fill_diagonal_(0)
    return weights.to(x.dtype)


def ridge(features: Tensor, x: Tensor, known: Tensor, l2: float = RIDGE_L2) -> Tensor:
    """Scores (U, I + 1) of all items, also of those that nobody has had, from their `features` (I + 1, F): for each
    user a ridge regression of x on the features of the `known` items, bool (I + 1,)."""
    seen = features[known].double()
    gram = seen.T @ seen
    gram.diagonal().add_(l2)
    coefficients = torch.linalg.solve(gram, seen.T @ x[:, known].T.double())  # (F, U)
    return (features.double() @ coefficients).T.float()


def aged(items: Tensor, count: int, decay: float = AGE_DECAY) -> Tensor:
    """Histories, int64 (N, T), the newest item last and 0 as padding, as rows (N, count) of decay^age."""
    length = (items > 0).sum(1, keepdim=True)
    age = (length - 1 - torch.arange(items.shape[1], device=items.device)).clamp(min=0)
    rows = torch.zeros(len(items), count, device=items.device)
    rows.scatter_reduce_(1, items, decay ** age.float(), "amax")
    rows[:, 0] = 0
    return rows


def standardized(scores: Tensor) -> Tensor:
    """Rows with mean 0 and deviation 1 over the items, column 0 left out, so that scores of two models can be added."""
    real = scores[:, 1:]
    return (scores - real.mean(1, keepdim=True)) / real.std(1, keepdim=True).clamp(min=1e-9)


def check_size(items: int, method: str = "EASE") -> None:
    """Raise `UserError` if a matrix between so many items is too large."""
    if items > MOST_ITEMS:
        raise UserError(
            f"{method} needs a matrix between all {items:,} items, {items**2 * 8 / 2**30:,.0f} GiB in float64; "
            f"{MOST_ITEMS:,} items are the most. Leave it out."
        )


def _largest(weights: Tensor, count: int) -> Tensor:
    """Of each column the `count` largest, others 0."""
    if count >= len(weights):
        return weights
    least = weights.topk(count, dim=0).values[-1]
    return torch.where(weights >= least, weights, 0.0)


Scorer = Callable[[dict[str, Tensor]], Tensor]
"""Scores (N, I + 1) of a batch of users."""
