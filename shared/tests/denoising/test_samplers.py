"""Samplers reach the exact end of a process that is known in closed form, each with its order, asking no more than they
say."""

from itertools import product
from math import log2, sqrt
from typing import get_args

import numpy as np
import pytest
import torch

from torchworks.shared.config import UserError
from torchworks.shared.denoising import (
    GRIDS,
    IMAGE,
    SAMPLERS,
    FlowPath,
    Guidance,
    Level,
    VarianceExplodingPath,
    VariancePreservingPath,
)
from torchworks.shared.sampler_names import QUIET, GridName, SamplerName

MEAN, DEVIATION = 0.3, 0.5
"""Of the images, which are normally distributed numbers."""
PATHS = {"flow": FlowPath(), "edm": VarianceExplodingPath(), "chain": VariancePreservingPath()}


def test_every_sampler_and_grid_that_can_be_named_is_there():
    assert (tuple(SAMPLERS), tuple(GRIDS)) == (get_args(SamplerName), get_args(GridName))


def exact(x, level: Level):
    """What the best possible net says: the mean of the images that x may hold."""
    variance = (level.alpha * DEVIATION) ** 2 + level.sigma**2
    return MEAN + level.alpha * DEVIATION**2 / variance * (x - level.alpha * MEAN)


def error(sampler: str, path, grid: str, steps: int) -> float:
    """Mean distance from where the probability flow of these images ends: each keeps its rank among them."""
    levels = GRIDS[grid](path, steps)
    rank = np.random.default_rng(0).standard_normal(4096)
    first = levels[0]
    x = first.alpha * MEAN + sqrt((first.alpha * DEVIATION) ** 2 + first.sigma**2) * rank
    return float(np.abs(SAMPLERS[sampler](exact, x, levels) - (MEAN + DEVIATION * rank)).mean())


@pytest.mark.parametrize(
    ("sampler", "path", "grid", "least"),
    [
        ("ddim", "flow", "uniform", 0.9),
        ("euler", "flow", "uniform", 0.9),
        ("euler", "edm", "uniform", 0.9),
        ("ddim", "chain", "uniform", 0.9),
        ("heun", "flow", "uniform", 1.9),
        ("heun", "edm", "uniform", 1.9),
        ("ab2", "flow", "uniform", 1.9),
        ("ab2", "edm", "karras", 1.7),
        ("dpmpp-2m", "flow", "log-snr", 1.9),
        ("dpmpp-2m", "edm", "log-snr", 1.9),
        ("unipc", "flow", "log-snr", 2.3),
        ("unipc", "edm", "log-snr", 2.3),
    ],
)
def test_the_error_falls_with_the_order_of_the_method(sampler, path, grid, least):
    before, after = (error(sampler, PATHS[path], grid, steps) for steps in (32, 64))
    assert log2(before / after) >= least


@pytest.mark.parametrize(("sampler", "path", "grid"), list(product(QUIET, PATHS, GRIDS)))
def test_every_sampler_comes_near_on_every_path_and_grid(sampler, path, grid):
    assert error(sampler, PATHS[path], grid, 256) < 0.02


def test_a_sampler_that_adds_noise_draws_the_right_distribution():
    draws = np.random.default_rng(0)
    grid = GRIDS["uniform"](PATHS["flow"], 200)
    images = SAMPLERS["ddpm"](exact, draws.standard_normal(20_000), grid, noise=lambda i: draws.standard_normal(20_000))
    assert abs(images.mean() - MEAN) < 0.01
    assert abs(images.std() - DEVIATION) < 0.01


@pytest.mark.parametrize("name", SAMPLERS)
def test_nothing_is_asked_beside_the_grid(name):
    asked = []

    def denoise(x, level):
        asked.append(level)
        return 0 * x

    grid = GRIDS["uniform"](FlowPath(), 5)
    told = []
    SAMPLERS[name](denoise, np.ones(3), grid, noise=lambda i: np.ones(3), callback=lambda i, x, image: told.append(i))
    assert asked == (grid[:1] + [level for level in grid[1:-1] for _ in (1, 2)] if name == "heun" else grid[:-1])
    assert told == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", SAMPLERS)
def test_arrays_and_tensors_give_the_same(name):
    x, grid = np.random.default_rng(0).standard_normal((2, 3)), GRIDS["cosine"](FlowPath(), 6)
    noises = np.random.default_rng(1).standard_normal((6, 2, 3))
    ours = SAMPLERS[name](exact, x, grid, noise=lambda i: noises[i])
    theirs = SAMPLERS[name](exact, torch.from_numpy(x), grid, noise=lambda i: torch.from_numpy(noises[i]))
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12)


@pytest.mark.parametrize(("path", "grid", "steps"), list(product(PATHS, GRIDS, (1, 2, 3, 7, 30))))
def test_a_grid_falls_from_the_noisiest_level_to_the_image(path, grid, steps):
    levels = GRIDS[grid](PATHS[path], steps)
    assert len(levels) == steps + 1 or (path == "chain" and len(levels) <= steps)  # where two would be the same level
    assert levels[0] == PATHS[path].level(1)
    assert levels[-1] == IMAGE
    shares = [level.sigma / (level.alpha + level.sigma) for level in levels]
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == len(shares)


@pytest.mark.parametrize("steps", [1, 2, 30, 501, 700, 1000])
def test_a_chain_of_levels_begins_at_its_last(steps):
    times = [level.time for level in GRIDS["uniform"](VariancePreservingPath(), steps)[:-1]]
    assert times[0] == 999
    assert len(times) == steps
    assert times == sorted(set(times), reverse=True)


@pytest.mark.parametrize("path", [*PATHS.values(), VariancePreservingPath(zero_terminal_snr=True)])
def test_training_and_sampling_see_the_same_levels(path):
    times = torch.linspace(0.01, 1, 100, dtype=torch.float64)
    alpha, sigma, told = path.at(times)
    for i, t in enumerate(times.tolist()):
        assert (alpha[i], sigma[i], told[i]) == pytest.approx(path.level(t), rel=1e-9, abs=1e-9)


def test_a_path_finds_the_time_of_a_level():
    for path in PATHS.values():
        for t in (0.05, 0.3, 0.9):
            level = path.level(t)
            assert path.time_of(level.sigma / level.alpha) == pytest.approx(t, abs=1e-4)


def test_steps_below_one_are_refused():
    with pytest.raises(UserError, match="at least 1"):
        GRIDS["uniform"](FlowPath(), 0)


def test_a_sampler_without_its_noise_says_so():
    with pytest.raises(UserError, match="ddpm adds noise"):
        SAMPLERS["ddpm"](exact, np.ones(2), GRIDS["uniform"](FlowPath(), 2))


def test_guidance_is_one_outside_of_its_interval():
    guidance = Guidance(3.0, (0.2, 0.8))
    assert [guidance.weight_at(FlowPath().level(t)) for t in (0.1, 0.5, 0.9)] == [1.0, 3.0, 1.0]
    with pytest.raises(UserError, match="smaller first"):
        Guidance(2.0, (0.8, 0.2))
