"""The scores of all items by each kind of net, for users with a number and for strangers who name items they like.

Shape letters: N users, T items of the longest history, I items.
"""

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.matrix_factorization import MatrixFactorization
from torchworks.hybrid_multimodal.models.multi_dae import MultiDAE
from torchworks.hybrid_multimodal.recommendation.metrics import marked


def item_scores(net: nn.Module, user: Tensor, items: Tensor) -> Tensor:
    """Scores (N, I + 1) for `user` (N,), 0 for a stranger, and what each had, `items` (N, T), the oldest first and
    padded with 0 anywhere."""
    match net:
        case MultiDAE():
            return net(marked(items, net.num_items + 1).float())
        case MatrixFactorization():
            count = net.item_embedding.num_embeddings
            stranger = net.scores(net.fold_in(marked(items, count).float()))
            return torch.where(user[:, None] > 0, net(user), stranger)
    raise TypeError(f"{type(net).__name__} has no scores of items")


def item_vectors(net: nn.Module) -> Tensor:
    """A vector for each item, (I + 1, D): items are alike if those who like one get the other recommended as well."""
    match net:
        case MultiDAE():
            return net.decoder.weight
        case MatrixFactorization():
            return net.item_embedding.weight
    raise TypeError(f"{type(net).__name__} has no vectors of items")
