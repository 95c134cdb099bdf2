"""Our samplers make the steps that the schedulers of diffusers make, over its betas, predictions, spacings and step
counts.

The library's grid is read out of its scheduler and handed to ours, so that the steps are compared, not the choice of
the grid; and our default grid is compared with the spacing of the library that it should be. Each case is compared step
by step or, where a sampler remembers steps, at its end.
"""

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    UniPCMultistepScheduler,
)

from torchworks.shared.denoising import GRIDS, IMAGE, SAMPLERS, FlowPath, Level, VariancePreservingPath, image_of

# the library calls NumPy's older way of making an array of a tensor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
BETAS = {"linear": "linear", "scaled_linear": "scaled-linear", "squaredcos_cap_v2": "cosine"}
LIMITS = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "squaredcos_cap_v2": (1e-4, 0.02)}
KINDS = {"epsilon": "noise", "sample": "image", "v_prediction": "v"}
SPACINGS = ("leading", "trailing", "linspace")
COUNTS = (1, 2, 5, 10, 50)


def draw(seed: int) -> torch.Tensor:
    return torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def start() -> torch.Tensor:
    return draw(1000)


def says(x: torch.Tensor, time: float) -> torch.Tensor:
    """A net of which each output depends on its input and on the time."""
    return 0.7 * torch.sin(x) + 0.1 * (time / 1000)


def options(betas: str, prediction: str, spacing: str, **more) -> dict:
    first, last = LIMITS[betas]
    common = {"beta_schedule": betas, "beta_start": first, "beta_end": last, "prediction_type": prediction}
    return common | {"timestep_spacing": spacing} | more


def theirs(scheduler, count: int) -> list[torch.Tensor]:
    """The library's x before each step, and in the end."""
    scheduler.set_timesteps(count)
    states = [start() * float(getattr(scheduler, "init_noise_sigma", 1.0))]
    for time in scheduler.timesteps:
        told = scheduler.scale_model_input(states[-1], time) if hasattr(scheduler, "scale_model_input") else states[-1]
        states.append(scheduler.step(says(told, float(time)), time, states[-1]).prev_sample)
    return states


def denoiser(kind: str):
    return lambda x, level: image_of(kind, says(x, level.time), x, level.alpha, level.sigma)


def same_steps(name: str, denoise, grid: list[Level], states: list[torch.Tensor], **more) -> bool:
    """Whether ours makes each step from where the library is to where it goes, within its float32."""
    for i, (x, there) in enumerate(pairwise(states)):
        noise = more.get("noise") and (lambda _, i=i: more["noise"](i))
        got = SAMPLERS[name](denoise, x, grid[i : i + 2], **(more | {"noise": noise}))
        # after its first slope Heun divides what is left of x, with what the library's float32 has lost of it
        lost = 1e-7 * grid[i].sigma / grid[i + 1].sigma if name == "heun" and grid[i + 1].sigma else 0.0
        if float((got - there).abs().max() / max(x.abs().max(), there.abs().max())) > max(1e-5, lost):
            return False
    return True


def same_end(name: str, denoise, grid: list[Level], states: list[torch.Tensor]) -> bool:
    """Whether ours, which remembers earlier steps, ends where the library does."""
    got = SAMPLERS[name](denoise, states[0], grid)
    return float((got - states[-1]).abs().max() / states[-1].abs().max()) <= 1e-5


def level_of(scheduler, time: int) -> Level:
    """The library's level, in its float32: over 1,000 factors ours, in float64, are others by 1e-5."""
    square = float(scheduler.alphas_cumprod[time])
    return Level(sqrt(square), sqrt(1 - square), float(time))


def levels(scheduler, end: Level = IMAGE) -> list[Level]:
    return [*(level_of(scheduler, int(t)) for t in scheduler.timesteps), end]


every = pytest.mark.parametrize(
    ("betas", "prediction", "spacing"), [(b, p, s) for b in BETAS for p in KINDS for s in SPACINGS]
)


@every
def test_ddim(betas, prediction, spacing):
    for count in COUNTS:
        scheduler = DDIMScheduler(**options(betas, prediction, spacing, clip_sample=False, set_alpha_to_one=True))
        states = theirs(scheduler, count)
        # it steps to t - T // n, which need not be the next time of its own grid
        for i, time in enumerate(scheduler.timesteps.tolist()):
            below = time - 1000 // count
            grid = [level_of(scheduler, time), level_of(scheduler, below) if below >= 0 else IMAGE]
            assert same_steps("ddim", denoiser(KINDS[prediction]), grid, states[i : i + 2])


@every
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_ddpm(betas, prediction, spacing, variance, monkeypatch):
    for count in COUNTS:
        noises = [draw(i) for i in range(count)]
        left = iter(noises)
        monkeypatch.setattr("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *a, left=left, **k: next(left))
        scheduler = DDPMScheduler(**options(betas, prediction, spacing, clip_sample=False, variance_type=variance))
        states, grid = theirs(scheduler, count), levels(scheduler)
        if scheduler.timesteps[-1] > 0:  # it adds noise in its last step as well, from which ours goes to the image
            states, grid = states[:-1], grid[:-1]
        more = {"noise": noises.__getitem__, "variance": variance.removeprefix("fixed_")}
        assert same_steps("ddpm", denoiser(KINDS[prediction]), grid, states, **more)


@every
@pytest.mark.parametrize(
    ("name", "kind"), [("dpmpp-2m", DPMSolverMultistepScheduler), ("unipc", UniPCMultistepScheduler)]
)
@pytest.mark.parametrize("final", ["zero", "sigma_min"])
def test_multistep(betas, prediction, spacing, name, kind, final):
    for count in COUNTS:
        scheduler = kind(**options(betas, prediction, spacing, final_sigmas_type=final))
        states = theirs(scheduler, count)
        grid = levels(scheduler, IMAGE if final == "zero" else level_of(scheduler, 0))
        if grid[-1] != grid[-2]:  # else the library's last step leads nowhere
            assert same_end(name, denoiser(KINDS[prediction]), grid, states)


@every
@pytest.mark.parametrize(("name", "kind"), [("euler", EulerDiscreteScheduler), ("heun", HeunDiscreteScheduler)])
@pytest.mark.parametrize("karras", [False, True])
def test_in_sigmas(betas, prediction, spacing, name, kind, karras):
    def denoise(x, level):
        scale = sqrt(level.sigma**2 + 1)  # to alpha² + sigma² = 1, as the net is told it
        return image_of(KINDS[prediction], says(x / scale, level.time), x / scale, 1 / scale, level.sigma / scale)

    for count in COUNTS:
        scheduler = kind(**options(betas, prediction, spacing, use_karras_sigmas=karras))
        states, sigmas, times = theirs(scheduler, count), scheduler.sigmas, scheduler.timesteps
        if name == "heun":  # each level but the first comes twice: for the predictor and for the step
            states, sigmas, times = [*states[:-1:2], states[-1]], [sigmas[0], *sigmas[1::2]], [times[0], *times[1::2]]
        grid = [Level(1.0, float(s), float(t)) for s, t in zip(sigmas, [*times, 0], strict=True)]
        assert same_steps(name, denoise, grid, states)


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("count", COUNTS)
def test_flow(count, shift):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    states = theirs(scheduler, count)
    grid = [FlowPath().level(float(sigma)) for sigma in scheduler.sigmas]
    assert same_steps("euler", denoiser("flow"), grid, states)


def test_even_times_are_the_spacing_called_trailing():
    for betas in BETAS:
        for count in (1, 3, 7, 30, 50, 501, 1000):
            scheduler = DDIMScheduler(**options(betas, "epsilon", "trailing"))
            scheduler.set_timesteps(count)
            grid = GRIDS["uniform"](VariancePreservingPath(BETAS[betas]), count)
            assert [int(level.time) for level in grid[:-1]] == scheduler.timesteps.tolist()


def test_the_levels_are_the_librarys():
    for betas, name in BETAS.items():
        theirs = DDPMScheduler(**options(betas, "epsilon", "leading")).alphas_cumprod.numpy()
        np.testing.assert_allclose(VariancePreservingPath(name).alphas ** 2, theirs, rtol=2e-5, atol=1e-8)


def test_a_chain_that_ends_in_noise_alone_is_the_librarys():
    scheduler = DDIMScheduler(**options("scaled_linear", "v_prediction", "trailing", rescale_betas_zero_snr=True))
    ours = VariancePreservingPath("scaled-linear", zero_terminal_snr=True)
    assert ours.alphas[-1] == 0
    np.testing.assert_allclose(ours.alphas**2, scheduler.alphas_cumprod.numpy(), rtol=1e-4, atol=1e-7)
