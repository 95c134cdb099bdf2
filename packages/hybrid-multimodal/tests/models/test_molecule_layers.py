"""Layers over graphs are those of torch_geometric, and a net of them keeps the promises of every net."""

import pytest
import torch
from torch import nn

from torchworks.hybrid_multimodal.models.message_passing import gathered, softmax_incoming
from torchworks.hybrid_multimodal.models.molecule_net import MoleculeNet, graph_of
from torchworks.shared.data.ragged import pad_to_longest
from torchworks.shared.data.smiles import MOST_ATOMS, WIDTH, molecule_table, read_smiles
from torchworks.shared.testing import check_model, randomize

LAYERS = ("gine", "gin", "gcn", "gat", "gatv2")


def tables(*smiles: str) -> torch.Tensor:
    return pad_to_longest([torch.from_numpy(molecule_table(read_smiles(each))) for each in smiles])[0]


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
