"""Drawing what agrees with something known: pixels outside of a hole, the means of a small image.

What is known is a `Constraint`, a function that changes an image as little as possible until it agrees. The image that
the net predicts  is made to agree in each step, and the noise of the step blends the two; going back and drawing a
step anew lets what is new fit what is known (Lugmayr et al. 2022, RePaint, algorithm 1).
"""

from collections.abc import Callable, Sequence
from itertools import count, pairwise
from math import sqrt
from typing import Any

from torchworks.shared.denoising.levels import Level
from torchworks.shared.denoising.samplers import Callback, Denoise, Noise, ddpm

Constraint = Callable[[Any], Any]
"""An image (N, C, H, W) in [-1, 1] → the image nearest to it that agrees with what is known."""


def restore(
    denoise: Denoise,
    constraint: Constraint,
    grid: Sequence[Level],
    noise: Noise,
    *,
    resamplings: int = 1,
    callback: Callback | None = None,
) -> Any:
    """An image (N, C, H, W), about in [-1, 1], that agrees with what is known exactly.

    `noise(i)` is the i-th standard normal (N, C, H, W) that is needed; the first is what drawing begins with. Each step
    of `grid` is made `resamplings` times, going back to its noisier level in between. `callback` is told of each step
    when it has been made so often.
    """
    drawn = count()
    x = grid[0].sigma * noise(next(drawn))
    image = x

    def predicted(x: Any, level: Level) -> Any:
        nonlocal image
        image = constraint(denoise(x, level))
        return image

    for i, (level, below) in enumerate(pairwise(grid)):
        for turn in range(resamplings):
            lower = ddpm(predicted, x, [level, below], noise=lambda _: noise(next(drawn)))
            if turn < resamplings - 1 and below.sigma > 0:
                x = noisier(lower, below, level, noise(next(drawn)))
            else:
                break
        x = lower
        if callback is not None:
            callback(i, x, image)
    return constraint(x)


def evaluations(steps: int, resamplings: int) -> int:
    """How often `restore` asks the net: the last step, to the image, is made once."""
    return (steps - 1) * resamplings + 1


def noisier(x: Any, below: Level, level: Level, noise: Any) -> Any:
    """`x` at the level `below` with so much `noise` that it is at the noisier `level`."""
    ratio = level.alpha / below.alpha
    return ratio * x + sqrt(max(level.sigma**2 - (ratio * below.sigma) ** 2, 0.0)) * noise
