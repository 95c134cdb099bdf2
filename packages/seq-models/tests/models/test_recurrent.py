"""Recurrent layers: torch.nn's numbers, at any length, by each of the three ways through time."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils._pytree import tree_leaves

from torchworks.seq_models.models import recurrent
from torchworks.seq_models.models.oracles.torch_nn import WithLengths
from torchworks.seq_models.models.parity import Comparison, exported_difference
from torchworks.seq_models.models.recurrent_base import Recurrent

# PyTorch tells so of its own operator, once in a process
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

C, H, N, T = 4, 6, 5, 9
EXACT = 1e-9
LENGTHS = torch.tensor([3, 9, 1, 9, 5])
CASES: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
    ("RNN", {"bias": False, "bidirectional": True}),
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"bias": False, "batch_first": True}),
    ("LSTM", {"proj_size": 3, "num_layers": 2, "bidirectional": True}),
    ("GRU", {}),
    ("GRU", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("GRU", {"bias": False}),
]
WAYS = ("forward", "by_equations")


def pair(kind: str, **options: Any) -> tuple[Recurrent, Any]:
    """Our layer and torch.nn's with the same weights, in float64."""
    theirs = getattr(nn, kind)(C, H, **options).double()
    ours = getattr(recurrent, kind)(C, H, **options).double()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours, theirs


def inputs(net: Recurrent) -> Tensor:
    shape = (N, T, C) if net.batch_first else (T, N, C)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x.requires_grad_()


def first_state(net: Recurrent) -> Any:
    zeros = net._tensors(None, inputs(net))
    state = tuple(torch.randn_like(each).requires_grad_() for each in zeros)
    return state if len(state) > 1 else state[0]


def packed(net: Any, x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """torch.nn's layer on a packed sequence."""
    sequence = pack_padded_sequence(x, LENGTHS, net.batch_first, enforce_sorted=False)
    output, last = net(sequence, state)
    return pad_packed_sequence(output, net.batch_first, total_length=T)[0], last


def gradients(results: Any, *of: Any) -> list[Tensor]:
    """Of a sum with other weights for each number."""
    leaves = [leaf.flatten() for leaf in tree_leaves(results)]
    loss = sum(leaf @ torch.linspace(0.5, 2, len(leaf), dtype=leaf.dtype).cos() for leaf in leaves)
    assert isinstance(loss, Tensor)
    return list(torch.autograd.grad(loss, tree_leaves(of)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize(("kind", "options"), CASES)
def test_outputs_states_and_all_gradients_are_those_of_torch_nn(kind: str, options: dict, lengths: Any, way: str):
    ours, theirs = pair(kind, **options)
    x, state = inputs(ours), first_state(ours)
    mine = getattr(ours, way)(x, state, lengths)
    expected = theirs(x, state) if lengths is None else packed(theirs, x, state)
    pairs = zip(tree_leaves(mine), tree_leaves(expected), strict=True)
    assert max((a - b).abs().max().item() for a, b in pairs) <= EXACT
    found = gradients(mine, x, state, list(ours.parameters()))
    wanted = gradients(expected, x, state, list(theirs.parameters()))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=EXACT)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_the_same_seed_draws_the_weights_and_dropout_of_torch_nn(kind: str):
    results = []
    for module in (recurrent, nn):
        torch.manual_seed(3)
        net = getattr(module, kind)(C, H, num_layers=2, bidirectional=True, dropout=0.5).train()
        results.append(net(torch.randn(T, N, C)))
    for a, b in zip(*map(tree_leaves, results), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("way", WAYS)
def test_dropout_between_layers_is_for_training_alone(way: str):
    net = recurrent.GRU(C, H, 2, dropout=0.5)
    x, run = torch.randn(T, N, C), getattr(net, way)
    assert not torch.equal(run(x)[0], run(x)[0])
    net.eval()
    assert torch.equal(run(x)[0], run(x)[0])
    assert not recurrent.GRU(C, H, 1, dropout=0.5).train()(x)[0].eq(0).any()  # none behind the last layer


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_row_without_moments_keeps_its_state_and_changes_no_neighbour(kind: str, way: str):
    net, _ = pair(kind, bidirectional=True)
    x, state = inputs(net), first_state(net)
    some = LENGTHS.clone()
    some[1] = 0
    output, last = getattr(net, way)(x, state, some)
    others, other_last = getattr(net, way)(x, state, LENGTHS)
    rest = [0, 2, 3, 4]
    assert not output[:, 1].any()
    for old, new, other in zip(*map(tree_leaves, (state, last, other_last)), strict=True):
        assert torch.equal(new[:, 1], old[:, 1])
        torch.testing.assert_close(new[:, rest], other[:, rest], rtol=0, atol=EXACT)
    torch.testing.assert_close(output[:, rest], others[:, rest], rtol=0, atol=EXACT)


@pytest.mark.parametrize("way", WAYS)
def test_what_stands_in_padding_changes_nothing(way: str):
    net, _ = pair("LSTM", bidirectional=True, batch_first=True)
    x = inputs(net).detach()
    beyond = torch.arange(T) >= LENGTHS[:, None]
    found = [getattr(net, way)(x.masked_fill(beyond[..., None], value), None, LENGTHS) for value in (0.0, 1e6)]
    for a, b in zip(*map(tree_leaves, found), strict=True):
        assert torch.equal(a, b)


def test_a_sequence_can_be_read_piece_by_piece():
    net, _ = pair("LSTM", num_layers=2, batch_first=True)
    x = inputs(net)
    whole, end = net(x)
    first, state = net(x[:, :4])
    second, last = net(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=EXACT)
    torch.testing.assert_close(last, end, rtol=0, atol=EXACT)


class WithState(nn.Module):
    """An LSTM whose state goes in and out."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> Any:
        return self.net(x, (h, c))


def test_an_export_takes_any_length_with_its_lengths_and_once_more():
    net = WithLengths(recurrent.GRU(C, H, bidirectional=True, batch_first=True))

    def make(sizes: dict[str, int]) -> tuple[Tensor, ...]:
        return torch.randn(sizes["N"], sizes["T"], C), torch.randint(0, sizes["T"] + 1, (sizes["N"],))

    found = Comparison("", net, net, make, ({0: "N", 1: "T"}, {0: "N"}))
    assert [exported_difference(found) < 1e-5 for _ in range(2)] == [True, True]


@torch.no_grad()
def test_an_export_of_one_length_forbids_no_later_one_of_any():
    net = recurrent.GRU(C, H).eval()
    for shapes in ({}, {0: torch.export.Dim("T", min=1)}):
        program = torch.export.export(net, (torch.randn(T, N, C),), dynamic_shapes=(shapes,)).module()
    for length in (1, T, 17):
        x = torch.randn(length, N, C)
        torch.testing.assert_close(program(x), net(x))


def test_an_export_continues_from_a_state():
    net = WithState(recurrent.LSTM(C, H))

    def make(sizes: dict[str, int]) -> tuple[Tensor, ...]:
        state = torch.randn(2, 1, sizes["N"], H)
        return torch.randn(sizes["T"], sizes["N"], C), state[0], state[1]

    assert exported_difference(Comparison("", net, net, make, ({0: "T", 1: "N"}, {1: "N"}, {1: "N"}))) < 1e-5


def test_the_forget_gates_can_start_open():
    net = recurrent.LSTM(C, H, 2, bidirectional=True)
    net.open_forget_gates(2.0)
    for layer in range(2):
        for direction in range(2):
            weights = net.weights(layer, direction)
            assert weights.bias_ih is not None
            assert weights.bias_hh is not None
            forget = (weights.bias_ih + weights.bias_hh)[H : 2 * H]
            assert forget.tolist() == [2.0] * H


def test_on_a_cpu_autocast_leaves_it_in_float32():
    net, x = recurrent.LSTM(C, H).eval(), torch.randn(T, N, C)
    with torch.no_grad():
        expected = net(x)[0]
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(net(x)[0], expected)


def test_inputs_of_another_size_are_refused_by_name():
    with pytest.raises(ValueError, match=r"must be \(N, T, C\) with C = 4, but it is \(2, 3, 5\)"):
        recurrent.GRU(C, H, batch_first=True)(torch.randn(2, 3, 5))
    with pytest.raises(ValueError, match="proj_size must be less than hidden_size = 6"):
        recurrent.LSTM(C, H, proj_size=6)
    with pytest.raises(ValueError, match="proj_size is for an LSTM, and a GRU has none"):
        recurrent.GRU(C, H, proj_size=3)
    with pytest.raises(ValueError, match="nonlinearity must be"):
        recurrent.RNN(C, H, nonlinearity="sigmoid")  # ty: ignore[invalid-argument-type]
