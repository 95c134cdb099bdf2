"""Nets that read series, against their papers' formulas."""

import math

import pytest
import torch

from torchworks.seq_models import NBEATS, TCN, LSTMForecaster, NLinear, PatchTST
from torchworks.seq_models.models.nbeats import season, trend
from torchworks.shared.testing import check_model

NETS = {
    "nlinear": lambda: NLinear(12, 5, channels=2, individual=True),
    "lstm_forecaster": lambda: LSTMForecaster(12, 5, channels=2, out_dim=3, hidden_dim=6, patch=4),
    "patchtst": lambda: PatchTST(12, 5, channels=2, out_dim=3, patch=4, stride=2, embed_dim=8, num_heads=2, ff_dim=8),
    "tcn": lambda: TCN(2, (8, 8)),
}
SHAPES = {"nlinear": (4, 5, 2), "tcn": (4, 12, 8)}


@pytest.mark.parametrize("name", NETS)
def test_they_keep_the_models_contract(name: str):
    check_model(NETS[name], torch.randn(4, 12, 2), shapes=SHAPES.get(name, (4, 5, 3)))


def test_nbeats_keeps_the_models_contract():
    """What the last block leaves of the past, nothing reads, as in the paper."""
    check_model(
        lambda: NBEATS(12, 5, out_dim=2, width=8, layers=2), torch.randn(4, 12), shapes=(4, 5, 2),
        unused=["blocks.3.backcast.*"],
    )  # fmt: skip


def test_nlinear_is_the_papers_formula_and_follows_a_level():
    torch.manual_seed(0)
    net, x = NLinear(12, 5).double(), torch.randn(3, 12, 2, dtype=torch.float64)
    weight, bias, last = net.linears[0].weight, net.linears[0].bias, x[:, -1:]
    expected = torch.einsum("hl,nlc->nhc", weight, x - last) + bias[:, None] + last
    torch.testing.assert_close(net(x), expected)
    torch.testing.assert_close(net(x + 100), net(x) + 100)


def test_nbeats_blocks_see_what_those_before_left_and_their_forecasts_add_up():
    torch.manual_seed(0)
    net, x = (
        NBEATS(12, 5, blocks=("trend", "season", "generic"), width=8, layers=2).double(),
        torch.randn(3, 12).double(),
    )
    rest, total = x, torch.zeros(3, 5, 1, dtype=torch.float64)
    for block in net.blocks:
        back, ahead = block(rest)
        rest, total = rest - back, total + ahead
    torch.testing.assert_close(net(x), total)
    assert len(net.parts(x)) == 3


def test_nbeats_bases_are_powers_and_waves():
    line, wave = trend(4, 3), season(4, 4)
    torch.testing.assert_close(line[2], torch.tensor([0, 1 / 16, 1 / 4, 9 / 16]))
    torch.testing.assert_close(wave[1], torch.tensor([math.cos(2 * math.pi * t / 4) for t in range(4)]))
    torch.testing.assert_close(wave[3], torch.tensor([math.sin(2 * math.pi * t / 4) for t in range(4)]))


def test_tcn_looks_back_only_as_far_as_it_says():
    torch.manual_seed(0)
    net, x = TCN(1, (3, 3), kernel_size=3, drop_rate=0.0).double(), torch.rand(1, 20, 1).double().requires_grad_()
    for value in net.parameters():
        value.data.abs_()  # no ReLU is shut
    (gradient,) = torch.autograd.grad(net(x)[0, 15].sum(), x)
    seen = gradient[0, :, 0].nonzero()[:, 0].tolist()
    assert net.reach == 13
    assert (min(seen), max(seen)) == (15 - net.reach + 1, 15)


def test_a_tcn_convolution_is_the_papers_formula_with_weight_norm():
    torch.manual_seed(0)
    layer = TCN(2, (3, 3), drop_rate=0.0).blocks[1].first.double()
    x = torch.randn(1, 3, 12).double()
    v, g = layer.v, layer.g
    w = torch.stack([g[i] * v[i] / v[i].norm() for i in range(3)])
    s, d, k = 9, 2, 3
    expected = sum(w[:, :, k - 1 - i] @ x[0, :, s - d * i] for i in range(k)) + layer.bias
    torch.testing.assert_close(layer(x)[0, :, s], expected)


def test_patches_are_cut_with_the_last_value_repeated():
    net = PatchTST(10, 3, patch=4, stride=2, embed_dim=4, num_heads=2, ff_dim=4)
    patches = net.cut(torch.arange(10.0)[None, :, None])
    assert net.patches == 5
    assert patches[0, 0].tolist() == [0, 1, 2, 3]
    assert patches[0, -1].tolist() == [8, 9, 9, 9]


def test_an_lstm_reads_patches_as_torch_does():
    torch.manual_seed(0)
    net, x = LSTMForecaster(12, 5, channels=2, out_dim=3, hidden_dim=6, patch=4).eval(), torch.randn(2, 12, 2)
    theirs = torch.nn.LSTM(8, 6, batch_first=True)
    theirs.load_state_dict(net.layers.state_dict())
    outputs, _ = theirs(x.reshape(2, 3, 8))
    torch.testing.assert_close(net(x), net.linear(outputs[:, -1]).reshape(2, 5, 3))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="multiple of patch"):
        LSTMForecaster(12, 5, patch=5)
    with pytest.raises(ValueError, match="must not be longer"):
        PatchTST(12, 5, patch=13)
    with pytest.raises(ValueError, match="'generic', 'trend' or 'season'"):
        NBEATS(12, 5, blocks=("line",))
