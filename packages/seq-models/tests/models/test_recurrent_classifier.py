"""The recurrent classifier of texts."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchworks.seq_models.models.parity import Comparison, exported_difference
from torchworks.seq_models.models.recurrent_classifier import RecurrentClassifier
from torchworks.shared.testing import check_model

POOLINGS = ("max", "mean", "last")


def new_net(pooling: str = "max", kind: str = "lstm") -> RecurrentClassifier:
    torch.manual_seed(0)
    return RecurrentClassifier(20, 3, kind=kind, embed_dim=6, hidden_dim=5, pooling=pooling).eval()  # ty: ignore


@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_keeps_the_models_contract(pooling: str):
    torch.manual_seed(0)
    check_model(lambda: new_net(pooling).train(), torch.randint(1, 20, (4, 7)), shapes=(4, 3))


@torch.no_grad()
def test_the_maximum_over_time_is_that_of_torchs_lstm():
    net, tokens = new_net(), torch.tensor([[4, 9, 2, 7]])
    lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
    lstm.load_state_dict(net.layers.state_dict())
    expected = net.classifier(lstm(net.embedding(tokens))[0].amax(1))
    torch.testing.assert_close(net(tokens), expected)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_changes_nothing(pooling: str, kind: str):
    net, tokens = new_net(pooling, kind), torch.tensor([[4, 9, 2]])
    torch.testing.assert_close(net(F.pad(tokens, (0, 5))), net(tokens))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_text_of_padding_alone_harms_no_other(pooling: str):
    net, tokens = new_net(pooling), torch.tensor([[4, 9, 2], [0, 0, 0], [5, 0, 0]])
    found = net(tokens)
    assert found.isfinite().all()
    torch.testing.assert_close(found[[0, 2]], net(tokens[[0, 2]]))


def test_the_order_of_words_matters():
    net = new_net()
    assert not torch.allclose(net(torch.tensor([[4, 9, 2]])), net(torch.tensor([[2, 9, 4]])))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_an_export_takes_texts_of_any_length_with_padding(pooling: str):
    net = new_net(pooling)

    def make(sizes: dict[str, int]) -> tuple[torch.Tensor]:
        tokens = torch.randint(1, 20, (sizes["N"], sizes["T"]))
        tokens[-1, sizes["T"] // 2 :] = 0  # at one token, nothing remains
        return (tokens,)

    assert exported_difference(Comparison("", net, net, make, ({0: "N", 1: "T"},))) < 1e-5
