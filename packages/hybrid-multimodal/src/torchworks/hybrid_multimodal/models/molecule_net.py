"""From molecules to numbers: layers of message passing over their atoms, and a readout of all atoms.

Shape letters: N molecules, A atoms of the largest, D neighbors, n atoms of all molecules, E edges, d channels, K
answers.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.gat import GATLayer
from torchworks.hybrid_multimodal.models.gatv2 import GATv2Layer
from torchworks.hybrid_multimodal.models.gcn import GCNLayer
from torchworks.hybrid_multimodal.models.gin import GINLayer
from torchworks.hybrid_multimodal.models.gine import GINELayer
from torchworks.hybrid_multimodal.models.message_passing import gathered
from torchworks.shared.data.smiles import BONDS, FEATURES, NEIGHBORS, SIZES

LayerName = Literal["gine", "gin", "gcn", "gat", "gatv2"]
ELEMENTS = (6, 7, 8, 16, 15, 9, 17, 35, 53, 5, 14)
"""Atomic numbers of elements that have a vector of their own, as each bond's kind has; all others share one."""
BOND_FEATURES = 7
HEADS = 4
SCALE = 10.0
"""By which the sum over atoms is divided, so that it is about as large as the mean."""


@dataclass(frozen=True)
class Graph:
    """Atoms of several molecules as one graph: codes of their features (n, FEATURES), edges (2, E), codes of bonds
    (E,), the molecule of each atom (n,), and which atoms there really are (n,)."""

    atoms: Tensor
    edges: Tensor
    bonds: Tensor
    molecule: Tensor
    real: Tensor


def graph_of(table: Tensor, *, compact: bool) -> Graph:
    """The graph of molecules as tables (N, A, WIDTH), see `shared.data.smiles`.

    `compact` has the atoms and bonds that there are. Otherwise padding stays, so that sizes follow from those of the
    table alone, as an export needs it: one more node, the last, takes all edges that there are not. An entry that names
    no atom is no bond.
    """
    rows, atoms = table.shape[0], table.shape[1]
    features = table[..., :FEATURES]
    neighbor, bond = table[..., FEATURES : FEATURES + NEIGHBORS], table[..., FEATURES + NEIGHBORS :]
    there = features[..., 0] > 0  # (N, A)
    place = (neighbor - 1).clamp(min=0)
    place = torch.minimum(place, torch.full_like(place, atoms - 1))
    to_real = there.gather(1, place.flatten(1)).view_as(place)
    bonded = (neighbor > 0) & (neighbor <= atoms) & there[..., None] & to_real & (bond > 0)  # (N, A, D)
    first = torch.arange(rows, device=table.device)[:, None] * atoms
    here = (first + torch.arange(atoms, device=table.device))[..., None].expand_as(place)
    other = first[..., None] + place
    molecule = torch.arange(rows, device=table.device)[:, None].expand(rows, atoms)
    if compact:
        number = there.flatten().cumsum(0) - 1
        edges = torch.stack([number[other[bonded]], number[here[bonded]]])
        kept = features[there]
        return Graph(kept, edges, bond[bonded], molecule[there], torch.ones_like(kept[:, 0], dtype=torch.bool))
    nowhere = rows * atoms
    edges = torch.stack([torch.where(bonded, end, nowhere).flatten() for end in (other, here)])
    extra = features.new_zeros(1, FEATURES)
    return Graph(
        torch.cat([features.reshape(-1, FEATURES), extra]),
        edges,
        torch.where(bonded, bond, 0).flatten(),
        torch.cat([molecule.flatten(), molecule.new_full((1,), rows)]),
        torch.cat([there.flatten(), there.new_zeros(1)]),
    )


class MoleculeNet(nn.Module):
    """Each layer adds to the vectors of the atoms what it finds around them, x ← x + relu(BN(layer(x))); the answer is
    a small network's of their sum, which grows with the molecule, and of their mean, which does not."""

    element: Tensor
    offset: Tensor
    most: Tensor
    bond: Tensor

    def __init__(
        self, *, answers: int = 1, layer: LayerName = "gine", depth: int = 4, width: int = 96, drop_rate: float = 0.1
    ):
        super().__init__()
        if width % HEADS:
            raise ValueError(f"width must be a multiple of {HEADS}, but it is {width}.")
        sizes = (len(ELEMENTS) + 1, *SIZES[1:])
        element = torch.full((SIZES[0],), len(ELEMENTS))
        element[list(ELEMENTS)] = torch.arange(len(ELEMENTS))
        self.register_buffer("element", element, persistent=False)
        self.register_buffer("offset", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.register_buffer("most", torch.tensor(SIZES) - 1, persistent=False)
        self.register_buffer("bond", bond_features(), persistent=False)
        self.atom = nn.Embedding(sum(sizes), width)
        nn.init.uniform_(self.atom.weight, -(FEATURES**-0.5), FEATURES**-0.5)
        self.layers = nn.ModuleList(new_layer(layer, width) for _ in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(depth))
        self.drop = nn.Dropout(drop_rate)
        self.head = nn.Sequential(
            nn.Linear(2 * width, width), nn.ReLU(), nn.Dropout(drop_rate), nn.Linear(width, answers)
        )

    def forward(self, table: Tensor) -> Tensor:
        """Molecules (N, A, WIDTH) → (N, K)."""
        graph = graph_of(table, compact=self.training)
        codes = torch.minimum(graph.atoms.clamp(min=0), self.most)
        codes = torch.cat([self.element[codes[:, :1]], codes[:, 1:]], 1) + self.offset
        x = self.atom(codes).sum(1)
        bonds = self.bond[graph.bonds.clamp(0, BONDS - 1)]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + self.drop(norm(layer(x, graph.edges, bonds)).relu())
        return self.head(readout(x, graph, table.shape[0]))


def readout(x: Tensor, graph: Graph, count: int) -> Tensor:
    """Vectors of atoms (n, d) → of `count` molecules, (N, 2d): their sum / SCALE and their mean."""
    real = graph.real.to(x.dtype)[:, None]
    total = gathered(x * real, graph.molecule, count + 1)[:count]
    atoms = gathered(real, graph.molecule, count + 1)[:count]
    return torch.cat([total / SCALE, total / atoms.clamp(min=1)], 1)


def bond_features() -> Tensor:
    """The kind of each bond's code as 1 of 5, whether it is conjugated, and whether in a ring: float (BONDS, 7)."""
    features = torch.zeros(BONDS, BOND_FEATURES)
    for code in range(1, BONDS):
        features[code, (code - 1) % 5] = 1
        features[code, 5], features[code, 6] = (code - 1) // 5 % 2, (code - 1) // 10
    return features


def new_layer(name: LayerName, width: int) -> nn.Module:
    """A layer from `width` to `width` channels, with new weights."""
    match name:
        case "gine":
            return GINELayer(perceptron(width), width, BOND_FEATURES)
        case "gin":
            return GINLayer(perceptron(width))
        case "gcn":
            return GCNLayer(width, width)
        case "gat":
            return GATLayer(width, width // HEADS, HEADS)
        case "gatv2":
            return GATv2Layer(width, width // HEADS, HEADS)


def perceptron(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 2 * width), nn.BatchNorm1d(2 * width), nn.ReLU(), nn.Linear(2 * width, width))
