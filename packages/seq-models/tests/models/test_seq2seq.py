"""The recurrent encoder–decoder with attention."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.generation.generate import complete
from torchworks.seq_models.models.parity import Comparison, exported_difference
from torchworks.seq_models.models.seq2seq import AttentionSeq2Seq
from torchworks.shared.testing import check_gradients, check_state

SOURCE, V, H = 13, 11, 6
EXACT = 1e-9
VARIANTS = list(product(("gru", "lstm"), ("additive", "general")))
variants = pytest.mark.parametrize(("kind", "attention"), VARIANTS)


def new_net(kind: str = "gru", attention: str = "additive") -> AttentionSeq2Seq:
    torch.manual_seed(0)
    sizes = {"embed_dim": 5, "hidden_dim": H, "attention_dim": 4}
    net = AttentionSeq2Seq(SOURCE, V, kind=kind, attention=attention, **sizes)  # ty: ignore[invalid-argument-type]
    return net.double().eval()


def batch(rows: int = 3, source: int = 6, target: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randint(1, SOURCE, (rows, source), generator=generator),
        torch.randint(1, V, (rows, target), generator=generator),
    )


@variants
def test_every_weight_is_trained_and_the_state_dict_is_the_whole_net(kind: str, attention: str):
    check_gradients(new_net(kind, attention).float(), batch())
    check_state(lambda: new_net(kind, attention).float(), batch())


def test_gradients_are_those_of_finite_differences():
    net, (source, target) = new_net(), batch(2, 3, 2)
    names = ("encoder.bias_hh_l0_reverse", "attention.query.weight", "bridge.weight")

    def outputs(*weights: Tensor) -> tuple[Tensor, Tensor]:
        return torch.func.functional_call(net, dict(zip(names, weights, strict=True)), (source, target))

    given = tuple(net.get_parameter(name).detach().clone().requires_grad_() for name in names)
    assert torch.autograd.gradcheck(outputs, given)


@variants
@torch.no_grad()
def test_a_padded_batch_gives_each_rows_own_answer(kind: str, attention: str):
    net, (source, target) = new_net(kind, attention), batch()
    lengths = torch.tensor([4, 6, 1])
    real = torch.arange(6) < lengths[:, None]
    logits, weights = net.attend(source, target, real)
    for row, length in enumerate(lengths.tolist()):
        expected, own = net.attend(source[row : row + 1, :length], target[row : row + 1])
        torch.testing.assert_close(logits[row], expected[0], rtol=0, atol=EXACT)
        torch.testing.assert_close(weights[row, :, :length], own[0], rtol=0, atol=EXACT)
        assert not weights[row, :, length:].any()
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 4, dtype=torch.float64))


@variants
@torch.no_grad()
def test_token_by_token_gives_the_logits_of_the_whole_answer(kind: str, attention: str):
    net, (source, target) = new_net(kind, attention), batch()
    target[:, 0] = net.begin
    real = torch.arange(6) < torch.tensor([4, 6, 1])[:, None]
    whole, weights = net.attend(source, target, real)
    logits, state = net.start(source, real)
    torch.testing.assert_close(logits, whole[:, 0], rtol=0, atol=EXACT)
    for t in range(1, 4):
        logits, weight, state = net.advance(target[:, t], state)
        torch.testing.assert_close(logits, whole[:, t], rtol=0, atol=EXACT)
        torch.testing.assert_close(weight, weights[:, t], rtol=0, atol=EXACT)


@torch.no_grad()
def test_a_source_padded_at_its_beginning_is_read_as_if_alone():
    net, (source, _) = new_net(), batch()
    found, _ = net.start(F.pad(source, (2, 1)), F.pad(torch.ones_like(source, dtype=torch.bool), (2, 1)))
    expected, _ = net.start(source, torch.ones_like(source, dtype=torch.bool))
    torch.testing.assert_close(found, expected, rtol=0, atol=EXACT)


@torch.no_grad()
def test_the_first_weights_are_the_papers_formula():
    net, (source, _) = new_net(), batch(1)
    state = net.read(source, torch.ones_like(source, dtype=torch.bool))
    attention = net.attention
    energies = [
        attention.v.weight[0] @ torch.tanh(attention.query.weight @ state["s"][0] + attention.keys.weight @ h)
        for h in state["values"][0]
    ]
    expected = torch.stack(energies).softmax(0)
    torch.testing.assert_close(net.advance(torch.tensor([net.begin]), state)[1][0], expected, rtol=0, atol=EXACT)


def test_it_answers_as_any_other_net():
    net = new_net()
    together = complete(net, [[1, 2, 3], [4]], steps=5)
    assert together[1] == complete(net, [[4]], steps=5)[0]


class Read(nn.Module):
    def __init__(self, net: AttentionSeq2Seq):
        super().__init__()
        self.net = net

    def forward(self, source: Tensor, real: Tensor) -> dict[str, Tensor]:
        return self.net.read(source, real)


class Advance(nn.Module):
    def __init__(self, net: AttentionSeq2Seq):
        super().__init__()
        self.net = net

    def forward(self, token: Tensor, values: Tensor, keys: Tensor, real: Tensor, hidden: Tensor) -> tuple:
        state = {"values": values, "keys": keys, "real": real, **dict(zip(("s", "c"), hidden.unbind(0), strict=False))}
        return self.net.advance(token, state)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_the_encoder_exports_for_any_source(kind: str):
    net = Read(new_net(kind))

    def make(sizes: dict[str, int]) -> tuple[Tensor, ...]:
        rows, length = sizes["N"], sizes["R"]
        real = torch.arange(length) < torch.arange(1, rows + 1)[:, None]
        return batch(rows, length)[0], real

    assert exported_difference(Comparison("", net, net, make, ({0: "N", 1: "R"}, {0: "N", 1: "R"}))) < 1e-5


@variants
def test_a_step_of_the_decoder_exports_for_any_source(kind: str, attention: str):
    net = Advance(new_net(kind, attention))
    count = net.net.encoder.states

    def make(sizes: dict[str, int]) -> tuple[Tensor, ...]:
        rows, length = sizes["N"], sizes["R"]
        real = torch.arange(length) < torch.arange(1, rows + 1)[:, None]
        values, keys = torch.randn(rows, length, 2 * H), torch.randn(rows, length, 4)
        return batch(rows)[1][:, 0], values, keys, real, torch.randn(count, rows, H)

    axes = ({0: "N"}, *[{0: "N", 1: "R"}] * 3, {1: "N"})
    shapes = Comparison("", net, net, make, axes)
    assert exported_difference(shapes) < 1e-5


@pytest.mark.slow
def test_it_learns_to_turn_a_sequence_round_and_looks_where_it_should():
    torch.manual_seed(0)
    net = AttentionSeq2Seq(SOURCE, SOURCE, embed_dim=16, hidden_dim=32, attention_dim=32, drop_rate=0.0)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        source = torch.randint(1, SOURCE, (32, 6), generator=generator)
        answer = source.flip(1)
        logits = net(source, F.pad(answer, (1, 0))[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), answer.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source = torch.randint(1, SOURCE, (200, 6), generator=generator)
    logits, weights = net.eval().attend(source, F.pad(source.flip(1), (1, 0))[:, :-1])
    assert (logits.argmax(2) == source.flip(1)).float().mean() > 0.9
    # each annotation knows its neighbours too, so the weights may stand one place beside
    assert ((weights.argmax(2) - torch.arange(5, -1, -1)).abs() <= 1).float().mean() > 0.8
