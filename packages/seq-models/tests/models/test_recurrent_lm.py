"""The recurrent language model: the same logits at once, piece by piece, and token by token."""

import pytest
import torch
from torch import Tensor, nn

from torchworks.seq_models.generation.generate import complete
from torchworks.seq_models.generation.protocol import State
from torchworks.seq_models.models.parity import Comparison, exported_difference
from torchworks.seq_models.models.recurrent_lm import RecurrentLM
from torchworks.shared.testing import check_model

V = 11
EXACT = 1e-9
KINDS = ("rnn", "lstm", "gru")


def new_net(kind: str = "lstm") -> RecurrentLM:
    torch.manual_seed(0)
    return RecurrentLM(V, kind=kind, depth=2, embed_dim=6, hidden_dim=8).double().eval()


def some_tokens(rows: int = 3, length: int = 7) -> Tensor:
    return torch.randint(1, V, (rows, length), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_the_models_contract(kind: str):
    check_model(
        lambda: RecurrentLM(V, kind=kind, depth=2, embed_dim=6, hidden_dim=8, drop_rate=0.1),
        some_tokens(4), shapes=(4, 7, V),
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_token_by_token_gives_the_logits_of_the_whole_text(kind: str):
    net, tokens = new_net(kind), some_tokens()
    whole = net(tokens)  # (B, T, V)
    logits, state = net.start(tokens[:, :3], torch.ones(3, 3, dtype=torch.bool))
    torch.testing.assert_close(logits, whole[:, 2], rtol=0, atol=EXACT)
    for t in range(3, 7):
        logits, state = net.step(tokens[:, t], state)
        torch.testing.assert_close(logits, whole[:, t], rtol=0, atol=EXACT)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_prompts_padded_at_either_end_are_read_as_if_alone(kind: str):
    net, tokens = new_net(kind), some_tokens()
    real = torch.tensor([[0, 0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 1]]).bool()
    logits, state = net.start(tokens, real)
    for row in range(3):
        alone = tokens[row][real[row]][None]
        expected, own = net.start(alone, torch.ones_like(alone, dtype=torch.bool))
        torch.testing.assert_close(logits[row], expected[0], rtol=0, atol=EXACT)
        for name, value in own.items():
            torch.testing.assert_close(state[name][row], value[0], rtol=0, atol=EXACT)


@torch.no_grad()
def test_a_long_text_is_read_window_by_window():
    net, tokens = new_net(), some_tokens()
    first, state = net.read(tokens[:, :4], net.empty_state(tokens))
    second, _ = net.read(tokens[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), net(tokens), rtol=0, atol=EXACT)


def test_it_writes_as_any_other_net():
    net = new_net("gru")
    texts = complete(net, [[1, 2, 3], [4]], steps=5)
    alone = complete(net, [[4]], steps=5)
    assert texts[1] == alone[0]


class Advance(nn.Module):
    def __init__(self, net: RecurrentLM):
        super().__init__()
        self.net = net

    def forward(self, tokens: Tensor, real: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, State]:
        return self.net.advance(tokens, real, {"h": h, "c": c})


def test_prefill_and_step_export_as_one_graph():
    net = Advance(new_net())

    def make(sizes: dict[str, int]) -> tuple[Tensor, ...]:
        rows, length = sizes["N"], sizes["T"]
        real = torch.arange(length) >= torch.arange(rows)[:, None] % length
        return some_tokens(rows, length), real, *torch.randn(2, rows, 2, 8).unbind(0)

    found = Comparison("", net, net, make, ({0: "N", 1: "T"}, {0: "N", 1: "T"}, {0: "N"}, {0: "N"}))
    assert exported_difference(found) < 1e-5


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be one of rnn, lstm, gru, but it is 'LSTM'"):
        RecurrentLM(V, kind="LSTM")
