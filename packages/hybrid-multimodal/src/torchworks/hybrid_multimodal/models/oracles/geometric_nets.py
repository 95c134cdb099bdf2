"""Nets on graphs beside those of torch_geometric, in small, with random weights."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.gat import GATLayer
from torchworks.hybrid_multimodal.models.gatv2 import GATv2Layer
from torchworks.hybrid_multimodal.models.gcn import GCNLayer
from torchworks.hybrid_multimodal.models.gin import GINLayer
from torchworks.hybrid_multimodal.models.gine import GINELayer
from torchworks.hybrid_multimodal.models.lightgcn import LightGCN
from torchworks.hybrid_multimodal.models.parity import Comparison, Sizes
from torchworks.shared.models.parity import On
from torchworks.shared.testing import randomize

with warnings.catch_warnings():  # of torch.jit.script, which it uses while it is imported
    warnings.simplefilter("ignore")
    import torch_geometric.nn

geometric: Any = torch_geometric.nn  # whose layers leave abstract methods open

USERS, ITEMS, EMBED_DIM, LAYERS = 7, 9, 4, 3
WIDTH, BONDS = 8, 5
"""Of the nodes of a graph, and of its edges."""


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


def gcn() -> Comparison:
    return of_layer("GCNConv", GCNLayer(WIDTH, 6), geometric.GCNConv(WIDTH, 6))


def gin() -> Comparison:
    return of_layer("GINConv", GINLayer(mlp(), eps=0.3), geometric.GINConv(mlp(), eps=0.3))


def gine() -> Comparison:
    """With features of the edges."""
    return of_layer("GINEConv", GINELayer(mlp(), WIDTH, BONDS), geometric.GINEConv(mlp(), edge_dim=BONDS), bonds=True)


def gat() -> Comparison:
    return of_layer("GATConv", GATLayer(WIDTH, 3, 2), geometric.GATConv(WIDTH, 3, heads=2))


def gatv2() -> Comparison:
    return of_layer("GATv2Conv", GATv2Layer(WIDTH, 3, 2), geometric.GATv2Conv(WIDTH, 3, heads=2))


# ------------------------------------------------------------------------------------------------------- pieces


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(WIDTH, 6), nn.ReLU(), nn.Linear(6, WIDTH))


def of_layer(name: str, ours: nn.Module, theirs: nn.Module, *, bonds: bool = False) -> Comparison:
    """A layer of graphs of any number of nodes, N, and edges, E, some of which are loops."""

    def make(sizes: Sizes) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(sizes["E"])
        x = torch.randn(sizes["N"], WIDTH, generator=generator)
        edges = torch.randint(0, sizes["N"], (2, sizes["E"]), generator=generator)
        return x, edges, *([torch.randn(sizes["E"], BONDS, generator=generator)] if bonds else [])

    return Comparison(
        f"torch_geometric.nn.{name}",
        On(ours, lambda net, *inputs: net(*inputs)),
        On(randomize(theirs), lambda net, *inputs: net(*inputs)),
        make=make,
        axes=({0: "N"}, {1: "E"}, *([{0: "E"}] if bonds else [])),
        compared_at={"N": 7, "E": 10},
        captured_at={"E": 6},
        exported=({"E": 1}, {"E": 4}, {"E": 15}),
    )
