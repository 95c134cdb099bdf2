"""Nets whose surprise finds anomalies."""

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, Normal

from torchworks.seq_models.models.autoencoder_rows import Autoencoder, WindowAutoencoder
from torchworks.seq_models.models.autoregressive_density import AutoregressiveDensity
from torchworks.seq_models.models.causal_density import CausalDensity
from torchworks.seq_models.models.gaussian_mixture import log_density
from torchworks.shared.testing import check_model

ROWS = {"density": lambda: AutoregressiveDensity(4, hidden_dim=6, components=2), "autoencoder": lambda: Autoencoder(4)}
SERIES = {
    "density": lambda: CausalDensity(2, hidden_dim=4, depth=3, components=2),
    "autoencoder": lambda: WindowAutoencoder(2, window=5, hidden_dim=6, narrow=2),
}


@pytest.mark.parametrize("name", ROWS)
def test_nets_of_rows_keep_the_models_contract(name: str):
    torch.manual_seed(0)
    check_model(ROWS[name], torch.randn(5, 4), shapes=(5, 4))


@pytest.mark.parametrize("name", SERIES)
def test_nets_of_series_keep_the_models_contract(name: str):
    torch.manual_seed(0)
    check_model(SERIES[name], torch.randn(3, 12, 2), shapes=(3, 12, 2))


def test_a_mixtures_density_is_that_of_torchs_distributions():
    torch.manual_seed(0)
    answers, x = torch.randn(5, 12), torch.randn(5)
    a, mean, log_std = answers.chunk(3, -1)
    expected = MixtureSameFamily(Categorical(logits=a), Normal(mean, log_std.exp())).log_prob(x)
    torch.testing.assert_close(log_density(answers, x), expected)


@torch.no_grad()
def test_a_column_depends_on_those_before_it_alone():
    torch.manual_seed(0)
    net, x = ROWS["density"](), torch.randn(3, 4)
    changed = x.clone()
    changed[:, 2] += 1
    same = torch.isclose(net(x), net(changed)).all(0)
    assert same.tolist() == [True, True, False, False]


@torch.no_grad()
def test_the_density_of_a_row_integrates_to_one():
    torch.manual_seed(0)
    net = AutoregressiveDensity(2, hidden_dim=4, components=2)
    grid = torch.linspace(-40, 40, 801)
    rows = torch.cartesian_prod(grid, grid)
    assert float((-net(rows).sum(1)).exp().sum() * 0.1**2) == pytest.approx(1, abs=0.02)


@torch.no_grad()
@pytest.mark.parametrize("name", SERIES)
def test_no_step_of_a_series_depends_on_a_later_one(name: str):
    torch.manual_seed(0)
    net, x = SERIES[name](), torch.randn(2, 12, 2)
    changed = x.clone()
    changed[:, 7] += 1
    different = ~torch.isclose(net(x), net(changed)).all(2)
    assert not different[:, :7].any()
    assert different[:, 7].all()
    torch.testing.assert_close(net(x[:, :5]), net(x)[:, :5])


@torch.no_grad()
def test_a_step_of_the_density_is_not_seen_by_its_own_parameters():
    torch.manual_seed(0)
    net, x = CausalDensity(1, hidden_dim=4, depth=2, components=1), torch.zeros(1, 6, 1)
    values = torch.linspace(-60, 60, 1201)
    rows = x.repeat(len(values), 1, 1)
    rows[:, 3, 0] = values
    density = (-net(rows)[:, 3, 0]).exp()
    assert float(density.sum() * 0.1) == pytest.approx(1, abs=0.02)
    assert math.isfinite(float(density.max()))
