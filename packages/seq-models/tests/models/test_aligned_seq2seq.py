"""The recurrent net from letters to sounds."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchworks.seq_models.models.aligned_seq2seq import AlignedSeq2Seq, turn
from torchworks.shared.testing import check_model

WORDS = torch.tensor([[4, 9, 2, 7], [3, 3, 5, 0]])
UNITS = torch.tensor([[1, 2, 3, 4], [5, 6, 1, 0]])


def new_net(depth: int = 2) -> AlignedSeq2Seq:
    torch.manual_seed(0)
    return AlignedSeq2Seq(10, 7, embed_dim=6, hidden_dim=5, decoder_dim=8, depth=depth)


def test_it_keeps_the_models_contract():
    given = torch.randint(1, 10, (3, 5)), torch.randint(1, 7, (3, 5))
    check_model(new_net, given, shapes=(3, 5, 7), export=False)  # the predictor's test exports it


@torch.no_grad()
def test_letters_are_read_as_torchs_bidirectional_lstm_reads_them():
    net = new_net(depth=1).eval()
    lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
    weights = {name: value for name, value in net.forwards[0].state_dict().items()}
    weights |= {f"{name}_reverse": value for name, value in net.backwards[0].state_dict().items()}
    lstm.load_state_dict(weights)
    torch.testing.assert_close(net.encode(WORDS[:1]), lstm(net.letters(WORDS[:1]))[0])


@torch.no_grad()
def test_padding_changes_nothing():
    net = new_net().eval()
    alone, padded = net(WORDS[1:, :3], UNITS[1:, :3]), net(F.pad(WORDS, (0, 4)), F.pad(UNITS, (0, 4)))
    torch.testing.assert_close(padded[1:, :3], alone)
    units, logs = net.greedy(F.pad(WORDS, (0, 4)))
    for row, length in ((0, 4), (1, 3)):
        expected, log = net.greedy(WORDS[row : row + 1, :length])
        assert units[row, :length].tolist() == expected[0].tolist()
        assert not units[row, length:].any()
        torch.testing.assert_close(logs[row], log[0])


@torch.no_grad()
def test_greedy_units_are_the_likeliest_ones_after_those_before():
    net = new_net().eval()
    units, log = net.greedy(WORDS[:1])
    logits = net(WORDS[:1], units)
    logits[..., 0] = -torch.inf
    assert logits.argmax(2).tolist() == units.tolist()
    torch.testing.assert_close(log, logits.log_softmax(2).amax(2).sum(1))


@pytest.mark.parametrize(("length", "expected"), [(0, [0, 1, 2]), (1, [0, 1, 2]), (2, [1, 0, 2]), (3, [2, 1, 0])])
def test_rows_are_turned_around_within_their_length(length: int, expected: list[int]):
    assert turn(torch.tensor([length]), 3).tolist() == [expected]
