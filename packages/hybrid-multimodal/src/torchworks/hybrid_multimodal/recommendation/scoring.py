"""The scores of all items by each kind of net, for users with a number and for strangers who name items they like.

Shape letters: N users, T items of the longest history, I items.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.hybrid_multimodal.models.gru4rec import GRU4Rec
from torchworks.hybrid_multimodal.models.lightgcn import LightGCN
from torchworks.hybrid_multimodal.models.matrix_factorization import MatrixFactorization
from torchworks.hybrid_multimodal.models.multi_dae import MultiDAE
from torchworks.hybrid_multimodal.models.neumf import NeuMF
from torchworks.hybrid_multimodal.models.sasrec import SASRec
from torchworks.hybrid_multimodal.models.two_tower import TwoTower
from torchworks.hybrid_multimodal.recommendation.metrics import marked

BEHIND = 1 << 32
"""More than the length of any history."""


def item_scores(net: nn.Module, user: Tensor, items: Tensor, folding: Tensor | None = None) -> Tensor:
    """Scores (N, I + 1) for `user` (N,), 0 for a stranger, and what each had, `items` (N, T), the oldest first and
    padded with 0 anywhere. `folding` is what `folding_matrix` gives for the net's vectors, if it is known."""
    match net:
        case MultiDAE():
            return net(marked(items, net.num_items + 1).float())
        case SASRec() | GRU4Rec():
            return net.scores(net(newest(items, net.longest))[:, -1])
        case NeuMF():
            return net(user)
    vectors = item_vectors(net)
    folding = folding_matrix(vectors) if folding is None else folding
    strangers = marked(items, vectors.shape[0]).float() @ folding @ vectors.T
    if (bias := getattr(net, "item_bias", None)) is not None:
        strangers = strangers + bias
    return torch.where(user[:, None] > 0, net(user), strangers)


def item_vectors(net: nn.Module) -> Tensor:
    """A vector for each item, (I + 1, D): items are alike if those who like one get the other recommended as well."""
    match net:
        case MultiDAE():
            return net.decoder.weight
        case NeuMF():
            return net.item_mf_embedding.weight
        case LightGCN() | TwoTower():
            return net.vectors()[1]
        case MatrixFactorization() | SASRec() | GRU4Rec():
            return net.item_embedding.weight
    raise TypeError(f"{type(net).__name__} has no vectors of items")


def knows_strangers(net: nn.Module) -> bool:
    """Whether it has scores for somebody who was not there in training, by the items that are liked."""
    return not isinstance(net, NeuMF)


def folds(net: nn.Module) -> bool:
    """Whether strangers get a vector by `folding_matrix`."""
    return isinstance(net, MatrixFactorization | LightGCN | TwoTower)


def folding_matrix(vectors: Tensor, l2: float = 1.0) -> Tensor:
    """What makes vectors x @ M of users known by their items alone, x (N, I + 1) of 0 and 1: M (I + 1, D). They are
    those that fit best the `vectors` of the items (I + 1, D), by ridge regression, which is one half-step of
    alternating least squares (Hu, Koren and Volinsky 2008): p = (QᵀQ + λ)⁻¹ Qᵀ x."""
    items = vectors.float().clone()
    items[0] = 0
    ridge = items.T @ items + l2 * torch.eye(items.shape[1], device=items.device)
    return torch.linalg.solve(ridge, items.T).T


def newest(items: Tensor, longest: int) -> Tensor:
    """The newest items of each row (N, T), int64 (N, longest), at the end of it, after padding with 0."""
    items = F.pad(items, (longest, 0))
    places = torch.arange(items.shape[1], device=items.device)
    order = torch.where(items > 0, places + BEHIND, places).argsort(dim=1)  # padding first, and each in its order
    return items.gather(1, order)[:, -longest:]
