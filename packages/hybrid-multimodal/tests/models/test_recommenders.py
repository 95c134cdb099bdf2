"""Nets for recommendation compute what their papers and libraries say, whatever padding there is."""

import torch
from torch.nn import functional as F

from torchworks.hybrid_multimodal.models.gru4rec import GRU4Rec
from torchworks.hybrid_multimodal.models.lightgcn import LightGCN
from torchworks.hybrid_multimodal.models.matrix_factorization import MatrixFactorization, bpr_loss
from torchworks.hybrid_multimodal.models.multi_dae import MultiDAE, multinomial_loss
from torchworks.hybrid_multimodal.models.neumf import NeuMF
from torchworks.hybrid_multimodal.models.sasrec import SASRec
from torchworks.hybrid_multimodal.models.two_tower import TwoTower
from torchworks.hybrid_multimodal.recommendation.scoring import folding_matrix, newest

USERS, ITEMS, SIZE = 7, 9, 4


def marks(seed: int = 0) -> torch.Tensor:
    """Which user had which item, (U + 1, I + 1); row and column 0 are padding."""
    torch.manual_seed(seed)
    x = (torch.rand(USERS + 1, ITEMS + 1) < 0.4).float()
    x[0], x[:, 0] = 0, 0
    return x


def test_lightgcn_scores_the_pairs_that_are_asked_for():
    net = LightGCN(USERS, ITEMS, embed_dim=SIZE, layers=3)
    net.set_graph(marks())
    users, items = torch.tensor([1, 5]), torch.tensor([[3], [2]])
    assert torch.allclose(net(users, items), net(users).gather(1, items))


def test_an_autoencoder_computes_its_formula():
    x, net = marks()[1:], MultiDAE(ITEMS, embed_dim=SIZE, drop_rate=0.5).eval()
    net.start_from(x.sum(0))
    hidden = torch.tanh(x / x.norm(dim=1, keepdim=True) @ net.encoder.weight.T + net.encoder.bias)
    wanted = hidden @ net.decoder.weight.T + (1 + x.sum(0)).log()
    assert torch.allclose(net(x), wanted, atol=1e-6)
    by_user = [-(F.log_softmax(wanted[u, 1:], 0)[x[u, 1:] > 0]).sum() for u in range(USERS)]
    assert torch.isclose(multinomial_loss(wanted, x), torch.stack(by_user).mean())


def test_scores_of_pairs_are_among_those_of_all_items():
    users, items = torch.tensor([1, 4]), torch.tensor([[2, 3], [9, 1]])
    for net in (
        MatrixFactorization(USERS, ITEMS, embed_dim=SIZE, item_bias=True),
        NeuMF(USERS, ITEMS, embed_dim=SIZE),
    ):
        assert torch.allclose(net(users, items), net(users).gather(1, items), atol=1e-6)


def test_bpr_is_the_mean_of_minus_log_sigmoid():
    a, b = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    assert torch.isclose(bpr_loss(a, b), -torch.log(torch.sigmoid(a - b)).mean())


def test_a_stranger_gets_the_vector_that_fits_the_liked_items_best():
    torch.manual_seed(0)
    vectors, x = torch.randn(ITEMS + 1, SIZE, dtype=torch.float64), marks()[1:3].double()
    found = (x.float() @ folding_matrix(vectors, 0.5)).requires_grad_()
    error = (found @ vectors[1:].float().T - x[:, 1:]).square().sum() + 0.5 * found.square().sum()
    error.backward()
    assert found.grad.abs().max() < 1e-4


def test_the_newest_items_stand_at_the_end_wherever_padding_was():
    rows = torch.tensor([[0, 4, 0, 5, 6], [1, 2, 0, 0, 0]])
    assert newest(rows, 2).tolist() == [[5, 6], [1, 2]]
    assert newest(rows, 7).tolist() == [[0, 0, 0, 0, 4, 5, 6], [0, 0, 0, 0, 0, 1, 2]]


def test_sequences_see_neither_padding_nor_what_comes_later():
    torch.manual_seed(0)
    for net in (SASRec(ITEMS, embed_dim=SIZE, longest=6).eval(), GRU4Rec(ITEMS, embed_dim=SIZE, longest=6).eval()):
        short, long = torch.tensor([[3, 7, 2]]), torch.tensor([[0, 0, 0, 3, 7, 2]])
        assert torch.allclose(net(short)[:, -1], net(long)[:, -1], atol=1e-6)
        later = torch.tensor([[3, 7, 5]])
        assert torch.allclose(net(short)[:, :2], net(later)[:, :2], atol=1e-6)
        assert not torch.allclose(net(short)[:, 2], net(later)[:, 2])
        assert net(torch.zeros(1, 4, dtype=torch.int64)).isfinite().all()  # somebody without a history


def test_two_towers_have_scores_of_items_that_nobody_had():
    net = TwoTower(USERS, ITEMS, 3, embed_dim=SIZE)
    net.features.copy_(torch.rand(ITEMS + 1, 3))
    users, items = net.vectors()
    assert torch.allclose(net(torch.tensor([2])), users[2:3] @ items.T, atol=1e-6)
    assert torch.allclose(items, net.features @ net.item_tower.weight.T)
