"""Promises of skip-gram, CBOW and GloVe: losses equal a plain loop over pairs, gradients those of autograd."""

import math

import pytest
import torch
from torch.nn import functional as F

from torchworks.seq_models.models.glove import GloVe
from torchworks.seq_models.models.word2vec import Word2Vec, neighbors
from torchworks.shared.testing import check_model

V, D, W, L = 9, 4, 2, 5


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Word2Vec(V, D).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_()
    return net


def batch():
    generator = torch.Generator().manual_seed(1)
    words = torch.randint(0, V, (3, L + 2 * W), generator=generator)  # some of them padding
    reach = torch.randint(1, W + 1, (3, L), generator=generator)
    return words, reach, torch.tensor([2, 3, 3, 7])


def pairs(words, reach):
    """(center, its neighbors), one after the other."""
    for row, far in zip(words.tolist(), reach.tolist(), strict=True):
        for i, r in enumerate(far, W):
            near = [row[j] for j in range(i - r, i + r + 1) if j != i and row[j]]
            if row[i] and near:
                yield row[i], near


def plain(net, method, words, reach, negatives, weight):
    """The loss by the equations, pair by pair."""
    v, u, total = net.input, net.output, 0.0
    for center, near in pairs(words, reach):
        given = [(v[center], other) for other in near] if method == "skip_gram" else [(v[near].mean(0), center)]
        for h, predicted in given:
            total = total - F.logsigmoid(u[predicted] @ h)
            total = total - weight * F.logsigmoid(-(u[negatives] @ h)).sum()
    return total


@pytest.mark.parametrize("method", ["skip_gram", "cbow"])
def test_loss_and_gradients_by_hand_equal_those_of_a_loop_over_pairs_in_fp64(net, method):
    words, reach, negatives = batch()
    expected = plain(net, method, words, reach, negatives, 0.7)
    ours = getattr(net, method)(words, reach, negatives, 0.7)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)
    wanted = torch.autograd.grad(3 * expected, (net.input, net.output))
    found = torch.autograd.grad(3 * ours, (net.input, net.output))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_paddings_and_words_out_of_reach_are_no_neighbors():
    words = torch.tensor([[1, 2, 3, 0, 5, 6, 7, 8, 1]])
    near = neighbors(words, torch.tensor([[1, 2, 1, 2, 2]]))[0]
    assert [row.nonzero().flatten().tolist() for row in near] == [[1], [], [5], [4, 6, 7], [4, 5, 7, 8]]


def test_a_row_of_paddings_changes_nothing(net):
    words, reach, negatives = batch()
    more = torch.cat([words, torch.zeros_like(words[:1])]), torch.cat([reach, reach[:1]])
    for loss in (net.skip_gram, net.cbow):
        torch.testing.assert_close(loss(*more, negatives, 1.0), loss(words, reach, negatives, 1.0))


def test_gloves_loss_is_the_papers():
    torch.manual_seed(0)
    glove = GloVe(V, D).double()
    with torch.no_grad():
        glove.word_bias.normal_()
    rows, columns, counts = torch.tensor([1, 2, 1]), torch.tensor([3, 3, 4]), torch.tensor([0.5, 2.0, 20.0]).double()
    expected = 0.0
    for i, j, x in zip(rows.tolist(), columns.tolist(), counts.tolist(), strict=True):
        product = (glove.word[i] @ glove.context[j] + glove.word_bias[i] + glove.context_bias[j]).item()
        expected += min(1.0, (x / 10) ** 0.75) * (product - math.log(x)) ** 2 / 3
    assert glove.loss(rows, columns, counts, x_max=10, alpha=0.75).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("make", "unused"), [(Word2Vec, ["output"]), (GloVe, ["*_bias"])])
def test_the_nets_keep_the_contract_of_models(make, unused):
    check_model(lambda: make(V, D), torch.randint(0, V, (3, 4)), shapes=(3, 4, D), unused=unused)
