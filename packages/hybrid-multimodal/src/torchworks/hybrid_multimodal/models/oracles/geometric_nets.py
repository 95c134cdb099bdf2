"""Nets on graphs beside those of torch_geometric, in small, with random weights."""

import warnings
from typing import Any

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.models.lightgcn import LightGCN
from torchworks.hybrid_multimodal.models.parity import Comparison, Sizes
from torchworks.shared.models.parity import On
from torchworks.shared.testing import randomize

with warnings.catch_warnings():  # of torch.jit.script, which it uses while it is imported
    warnings.simplefilter("ignore")
    import torch_geometric.nn as geometric

USERS, ITEMS, EMBED_DIM, LAYERS = 7, 9, 4, 3


def lightgcn() -> Comparison:
    """Scores of all items for some users. The graph belongs to both and is no weight."""
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(USERS + 1, ITEMS + 1, generator=generator) < 0.4).float()
    x[0], x[:, 0] = 0, 0
    ours = LightGCN(USERS, ITEMS, embed_dim=EMBED_DIM, layers=LAYERS).double()
    ours.set_graph(x.double())
    graph = ours.graph
    del ours.graph
    theirs = geometric.LightGCN(USERS + ITEMS + 2, EMBED_DIM, LAYERS)
    alpha = theirs.alpha
    del theirs.alpha
    user, item = x.nonzero().T + torch.tensor([[0], [USERS + 1]])
    edges = torch.cat([torch.stack([user, item]), torch.stack([item, user])], 1)

    def mine(net: Any, users: Tensor) -> Tensor:
        net.graph = graph.to(net.embedding.weight.dtype)
        return net(users)

    def reference(net: Any, users: Tensor) -> Tensor:
        net.alpha = alpha.to(net.embedding.weight.dtype)
        vectors = net.get_embedding(edges)
        return vectors[users] @ vectors[USERS + 1 :].T

    def make(sizes: Sizes) -> tuple[Tensor, ...]:
        return (1 + torch.arange(sizes["N"]) % USERS,)

    return Comparison(
        "torch_geometric.nn.LightGCN",
        On(randomize(ours), mine),
        On(randomize(theirs), reference),
        make=make,
        axes=({0: "N"},),
        compared_at={"N": 5},
        captured_at={},
        exported=({},),
    )
