"""Layers over graphs are those of torch_geometric, and a net of them keeps the promises of every net."""

import warnings

import pytest
import torch
from torch import nn

from torchworks.hybrid_multimodal.models.gat import GATLayer
from torchworks.hybrid_multimodal.models.gatv2 import GATv2Layer
from torchworks.hybrid_multimodal.models.gcn import GCNLayer
from torchworks.hybrid_multimodal.models.gin import GINLayer
from torchworks.hybrid_multimodal.models.gine import GINELayer
from torchworks.hybrid_multimodal.models.message_passing import gathered, softmax_incoming
from torchworks.hybrid_multimodal.models.molecule_net import MoleculeNet, graph_of
from torchworks.shared.data.ragged import pad_to_longest
from torchworks.shared.data.smiles import MOST_ATOMS, WIDTH, molecule_table, read_smiles
from torchworks.shared.testing import check_model, check_parity, randomize

LAYERS = ("gine", "gin", "gcn", "gat", "gatv2")
SIZE, BONDS = 8, 5
EDGES = torch.tensor([[0, 1, 1, 2, 3, 0, 2, 4, 4, 5], [1, 0, 2, 1, 0, 3, 2, 4, 5, 4]])
"""A graph of seven nodes: two of them with a loop, and one without any edge."""


def tables(*smiles: str) -> torch.Tensor:
    return pad_to_longest([torch.from_numpy(molecule_table(read_smiles(each))) for each in smiles])[0]


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(SIZE, 6), nn.ReLU(), nn.Linear(6, SIZE))


def pairs() -> dict[str, tuple[nn.Module, nn.Module]]:
    with warnings.catch_warnings():  # of torch.jit.script, when it is imported
        warnings.simplefilter("ignore")
        from torch_geometric import nn as reference
    return {
        "gcn": (GCNLayer(SIZE, 6), reference.GCNConv(SIZE, 6)),
        "gin": (GINLayer(mlp(), eps=0.3), reference.GINConv(mlp(), eps=0.3)),
        "gine": (GINELayer(mlp(), SIZE, BONDS), reference.GINEConv(mlp(), edge_dim=BONDS)),
        "gat": (GATLayer(SIZE, 3, 2), reference.GATConv(SIZE, 3, heads=2)),
        "gatv2": (GATv2Layer(SIZE, 3, 2), reference.GATv2Conv(SIZE, 3, heads=2)),
    }


class OnGraph(nn.Module):
    """A layer of a fixed graph."""

    def __init__(self, layer: nn.Module, bonds: bool):
        super().__init__()
        self.layer, self.bonds = layer, bonds

    def forward(self, x: torch.Tensor, bonds: torch.Tensor) -> torch.Tensor:
        return self.layer(x, EDGES, bonds) if self.bonds else self.layer(x, EDGES)


@pytest.mark.slow  # importing torch_geometric
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_that_of_torch_geometric_with_its_names_of_parameters(name):
    torch.manual_seed(0)
    ours, reference = (OnGraph(layer, name == "gine") for layer in pairs()[name])
    inputs = torch.randn(7, SIZE), torch.randn(EDGES.shape[1], BONDS)
    check_parity(ours, randomize(reference), inputs, fp64_tol=1e-12)


def test_gathered_messages_are_the_sum_over_neighbors_of_a_dense_product():
    messages, to = torch.randn(6, 3), torch.tensor([0, 2, 2, 1, 0, 2])
    dense = nn.functional.one_hot(to, 4).float().T @ messages
    torch.testing.assert_close(gathered(messages, to, 4), dense)
    weights = softmax_incoming(torch.tensor([[1.0], [800], [801], [0], [1], [-800]]), to, 4)
    torch.testing.assert_close(gathered(weights, to, 4)[:, 0], torch.tensor([1.0, 1, 1, 0]))


@pytest.mark.parametrize("layer", ["gine", "gatv2"])
def test_every_promise_of_a_net_holds(layer):
    molecules = tables("CCO", "c1ccncc1C(=O)O", "C")
    check_model(
        lambda: MoleculeNet(answers=2, layer=layer, depth=2, width=16), molecules, shapes=(3, 2), bf16_tol=0.2,
        unused=["layers.*.lin*bias"] if layer == "gatv2" else [],
    )  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
@torch.no_grad()
def test_neither_padding_nor_the_order_of_atoms_changes_an_answer(layer):
    torch.manual_seed(0)
    net = randomize(MoleculeNet(layer=layer, depth=3, width=16)).eval()
    (answer,) = net(tables("CC(=O)Nc1ccccc1"))
    padded = tables("CC(=O)Nc1ccccc1", "C" * MOST_ATOMS)
    torch.testing.assert_close(net(padded)[0], answer, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net(tables("c1ccccc1NC(C)=O"))[0], answer, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(net(tables("CC(=O)Nc1ccccc1C"))[0], answer, rtol=1e-3)


@torch.no_grad()
def test_only_gine_tells_a_double_bond_from_a_single_one_by_the_bond_alone():
    single, double = tables("CC"), tables("CC")
    double[0, :, -8] = 2
    for layer in LAYERS:
        net = randomize(MoleculeNet(layer=layer, depth=2, width=16)).eval()
        assert torch.allclose(net(single), net(double), rtol=1e-4) == (layer != "gine")


@pytest.mark.parametrize("compact", [True, False])
def test_entries_that_name_no_atom_are_no_bonds(compact):
    table = torch.zeros(2, 3, WIDTH, dtype=torch.int64)
    table[:, :2, 0] = 6
    table[0, 0, 7:10], table[0, 0, 15:18] = torch.tensor([2, 3, 99]), torch.tensor([1, 1, 1])  # only atom 2 is there
    table[1, 2, 7], table[1, 2, 15] = 1, 1  # of padding
    graph = graph_of(table, compact=compact)
    nowhere = 4 if compact else 6
    assert [edge for edge in graph.edges.T.tolist() if edge != [nowhere, nowhere]] == [[1, 0]]
    assert int(graph.real.sum()) == 4


@torch.no_grad()
def test_a_net_answers_finitely_whatever_numbers_come():
    net = randomize(MoleculeNet(depth=2, width=16)).eval()
    table = torch.randint(0, 200, (3, 5, WIDTH), generator=torch.Generator().manual_seed(0))
    table[0], table[1, 0, 0] = 0, 10**12
    assert net(table).isfinite().all()


def test_in_training_only_atoms_that_there_are_count_for_batch_normalization():
    torch.manual_seed(0)
    net = MoleculeNet(depth=1, width=16, drop_rate=0.0).train()
    alone = net(tables("CCO", "CCN"))
    net.layers[0].nn[1].reset_running_stats()
    padded = net(tables("CCO", "CCN", "C" * 9)[:2])
    torch.testing.assert_close(alone, padded)
