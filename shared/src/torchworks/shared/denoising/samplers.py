"""Samplers: from noise to an image along a falling grid of noise levels.

Each is a function `(denoise, x, grid, *, noise, callback) -> image`. `denoise(x, level)` gives the image x₀ that the
net predicts to be in `x`; guidance, clipping and what is known of the image already belong to it. What x₀ leaves of x
is the noise ε = (x - alpha · x₀) / sigma, so that a step is always a weighted sum of images and noises, whatever the
path and whatever the net predicts.

`x` and images are tensors or NumPy arrays (N, …); the factors are floats, computed before they meet an array, so that a
step costs as few operations as the equation has.

| sampler | evaluations a step | order | noise in each step | source |
|---|---|---|---|---|
| `ddpm` | 1 | – | yes | Ho et al. 2020, algorithm 2 |
| `ddim`, `euler` | 1 | 1 | no | Song et al. 2021 (DDIM), eq. 12 |
| `heun` | 2, in the last step 1 | 2 | no | Karras et al. 2022, algorithm 1 |
| `ab2` | 1 | 2 | no | Adams–Bashforth of two steps |
| `dpmpp_2m` | 1 | 2 | no | Lu et al. 2022 (DPM-Solver++), algorithm 2 |
| `unipc` | 1 | 2, corrected | no | Zhao et al. 2023 (UniPC), B₂ |
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import expm1, inf, isinf, sqrt
from typing import Any, Literal

from torchworks.shared.config import UserError
from torchworks.shared.denoising.levels import Level

Denoise = Callable[[Any, Level], Any]
"""(x (N, …), its level) → the image x₀ (N, …) that is predicted to be in it."""
Noise = Callable[[int], Any]
"""The standard normal noise (N, …) of a step, by its number from 0."""
Callback = Callable[[int, Any, Any], None]
"""Told of each step: its number from 0, x after it, and the x₀ that it went by."""
FEW = 15
"""Steps below which the last is of first order: with so few it is long, and extrapolating over it is unstable."""


def ddpm(
    denoise: Denoise,
    x: Any,
    grid: Sequence[Level],
    *,
    noise: Noise | None = None,
    callback: Callback | None = None,
    variance: Literal["small", "large"] = "small",
) -> Any:
    """Each step draws from the posterior of the level below, given x and x₀ (Ho et al. 2020, eqs. 6 and 7).

    `variance` is the posterior's (small, right if the data are one image) or that of the step itself (large, right if
    they are normal noise). The last step, to the image, adds none.
    """
    draw = _needed(noise, "ddpm")
    for i, level, below in _steps(grid):
        image = denoise(x, level)
        kept = below.sigma**2 / level.sigma**2
        ratio = level.alpha / below.alpha
        step = level.sigma**2 - (ratio * below.sigma) ** 2  # variance that the step from below to level added
        x = ratio * kept * x + below.alpha * step / level.sigma**2 * image
        if below.sigma > 0:
            x = x + sqrt(step * (kept if variance == "small" else 1.0)) * draw(i)
        _tell(callback, i, x, image)
    return x


def ddim(
    denoise: Denoise,
    x: Any,
    grid: Sequence[Level],
    *,
    noise: Noise | None = None,
    callback: Callback | None = None,
    eta: float = 0.0,
) -> Any:
    """x₀ and the noise that x holds beside it, put together anew at the level below (Song et al. 2021, eq. 12).

    `eta` from 0 to 1 replaces part of that noise by new noise; 1 is `ddpm`.
    """
    for i, level, below in _steps(grid):
        image = denoise(x, level)
        new = eta * _posterior_deviation(level, below)
        old = sqrt(max(below.sigma**2 - new**2, 0.0)) / level.sigma
        x = old * x + (below.alpha - old * level.alpha) * image
        if new > 0:
            x = x + new * _needed(noise, "ddim with eta above 0")(i)
        _tell(callback, i, x, image)
    return x


def euler(
    denoise: Denoise, x: Any, grid: Sequence[Level], *, noise: Noise | None = None, callback: Callback | None = None
) -> Any:
    """A straight step along the velocity dx = x₀ dalpha + ε dsigma. That is DDIM without new noise: x moves by
    (alpha' - alpha) x₀ + (sigma' - sigma) ε, which is alpha' x₀ + sigma' ε."""
    return ddim(denoise, x, grid, callback=callback)


def heun(
    denoise: Denoise, x: Any, grid: Sequence[Level], *, noise: Noise | None = None, callback: Callback | None = None
) -> Any:
    """Euler's step, and again with the mean of the velocities at its two ends (Karras et al. 2022, algorithm 1). The
    last step, to the image, is Euler's."""
    for i, level, below in _steps(grid):
        image = denoise(x, level)
        rest = (x - level.alpha * image) / level.sigma
        there = below.alpha * image + below.sigma * rest
        if below.sigma > 0:
            image2 = denoise(there, below)
            rest2 = (there - below.alpha * image2) / below.sigma
            there = (
                x
                + (below.alpha - level.alpha) / 2 * (image + image2)
                + (below.sigma - level.sigma) / 2 * (rest + rest2)
            )
        x = there
        _tell(callback, i, x, image)
    return x


def ab2(
    denoise: Denoise, x: Any, grid: Sequence[Level], *, noise: Noise | None = None, callback: Callback | None = None
) -> Any:
    """The velocity is extended to the middle of the step by a line through it and the one before (Adams–Bashforth):
    second order for one evaluation. x₀ is extended over alpha, and the noise over sigma. The first step is Euler's."""
    before: tuple[Any, Any] | None = None
    dalpha = dsigma = 0.0
    for i, level, below in _steps(grid):
        image = denoise(x, level)
        rest = (x - level.alpha * image) / level.sigma
        last = dalpha, dsigma
        dalpha, dsigma = below.alpha - level.alpha, below.sigma - level.sigma
        x = x + dalpha * image + dsigma * rest
        if before is not None:
            for step, previous, now, old in zip((dalpha, dsigma), last, (image, rest), before, strict=True):
                if step and previous:
                    x = x + step * step / (2 * previous) * (now - old)
        before = image, rest
        _tell(callback, i, x, image)
    return x


def dpmpp_2m(
    denoise: Denoise, x: Any, grid: Sequence[Level], *, noise: Noise | None = None, callback: Callback | None = None
) -> Any:
    """x₀ is extended to the middle of the step in λ by a line through it and the one before (DPM-Solver++(2M), Lu et
    al. 2022, algorithm 2). The first step is of first order, and the last one too if it ends at the image or steps are
    few."""
    before, width = None, inf
    for i, level, below in _steps(grid):
        image = denoise(x, level)
        last, width = width, below.log_snr - level.log_snr
        toward = image
        if before is not None and not _first_order(i, below, grid) and not isinf(last):
            toward = image + width / (2 * last) * (image - before)
        x = _exponential_step(x, toward, level, below)
        before = image
        _tell(callback, i, x, image)
    return x


def unipc(
    denoise: Denoise, x: Any, grid: Sequence[Level], *, noise: Noise | None = None, callback: Callback | None = None
) -> Any:
    """A predictor as in `dpmpp_2m`, and a corrector that makes the same step once more with the x₀ found at its end,
    which the next step needs anyway (UniPC of order 2, Zhao et al. 2023, algorithm 1, with B(h) = e^h - 1)."""
    image = before = None
    last = width = inf
    start, started = x, grid[0]
    for i, level, below in _steps(grid):
        now = denoise(x, level)
        if image is not None:
            x = _corrected(start, started, level, now, image, before, ratio=_ratio(last, width))
        before, image = image, now
        last, width = width, below.log_snr - level.log_snr
        start, started = x, level
        x = _exponential_step(x, image, level, below)
        if before is not None and i < len(grid) - 2 and (ratio := _ratio(last, width)) != -inf:
            x = x + _gain(width) * below.alpha / (2 * ratio) * (before - image)
        _tell(callback, i, x, image)
    return x


Sampler = Callable[..., Any]
SAMPLERS: dict[str, Sampler] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "euler": euler,
    "heun": heun,
    "ab2": ab2,
    "dpmpp-2m": dpmpp_2m,
    "unipc": unipc,
}
"""All samplers by the names that commands and bundles know."""


def sampler_of(name: str) -> Sampler:
    """Raises `UserError` for a name that is none."""
    if name not in SAMPLERS:
        raise UserError(f"There is no sampler '{name}'. Samplers: {', '.join(SAMPLERS)}.")
    return SAMPLERS[name]


def _steps(grid: Sequence[Level]) -> Iterator[tuple[int, Level, Level]]:
    """Number, level and the level below of each step."""
    for i, (level, below) in enumerate(pairwise(grid)):
        yield i, level, below


def _tell(callback: Callback | None, i: int, x: Any, image: Any) -> None:
    if callback is not None:
        callback(i, x, image)


def _needed(noise: Noise | None, name: str) -> Noise:
    if noise is None:
        raise UserError(f"The sampler {name} adds noise in each step, so it needs the function `noise`.")
    return noise


def _posterior_deviation(level: Level, below: Level) -> float:
    """Standard deviation of the noise that `ddpm` adds in the step."""
    ratio = level.alpha / below.alpha
    step = max(level.sigma**2 - (ratio * below.sigma) ** 2, 0.0)
    return sqrt(step) * below.sigma / level.sigma


def _first_order(i: int, below: Level, grid: Sequence[Level]) -> bool:
    """Whether step `i` of DPM-Solver++ uses no earlier x₀."""
    return i == len(grid) - 2 and (below.sigma == 0 or len(grid) - 1 < FEW)


def _exponential_step(x: Any, image: Any, level: Level, below: Level) -> Any:
    """The exact step if the net went on predicting `image` (DPM-Solver++, eq. 9 of first order): sigma' / sigma x -
    alpha' (e^-h
    - 1) x₀, where h is the step in λ, e^-h = sigma' alpha / (sigma alpha')."""
    kept = below.sigma / level.sigma
    return kept * x + (below.alpha - kept * level.alpha) * image


def _ratio(last: float, width: float) -> float:
    """r: the step before over this one, in λ, below 0 as it lies behind; -inf where there is none that can be used."""
    return -inf if isinf(last) or isinf(width) else -last / width


def _gain(width: float) -> float:
    """1 - e^-h of a step of h = `width`."""
    return 1.0 if isinf(width) else -expm1(-width)


def _corrected(x: Any, level: Level, below: Level, new: Any, image: Any, before: Any, *, ratio: float) -> Any:
    """The step from `x` at `level` to `below` once more, knowing `new`, the x₀ at its end, beside `image` at its start
    and `before`, the one at the step before."""
    width = below.log_snr - level.log_snr
    x = _exponential_step(x, image, level, below)
    gain = _gain(width) * below.alpha
    if before is None or ratio == -inf:
        return x + gain / 2 * (new - image)
    first, second = _moments(width)
    old = (second - first) / (ratio - 1)  # the weights that make both moments right
    return x + gain * (old / ratio * (before - image) + (first - old) * (new - image))


def _moments(width: float) -> tuple[float, float]:
    """The right sides b₁ and b₂ of UniPC's equations for B(h) = e^-h - 1 (Zhao et al. 2023, eq. 12)."""
    h = -width
    growth = expm1(h)
    phi2 = growth / h - 1
    phi3 = phi2 / h - 0.5
    return phi2 / growth, 2 * phi3 / growth
