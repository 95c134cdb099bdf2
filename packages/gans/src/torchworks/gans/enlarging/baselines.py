"""Enlarging without a net: each pixel as a block, bicubic interpolation, Lanczos's filter, and that sharpened.

Shape letters: N images, h × w pixels of a small image, H × W of a large one.
"""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.enlarging.metrics import scores_of

REACH, AMOUNT = 0.375, 1.0
"""Of the unsharp mask: the deviation of its blur in pixels of the small image, and how much of the detail is added."""
Small = Callable[[Tensor, int], Tensor]


def _nearest(small: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(small, size, mode="nearest")


def _bicubic(small: Tensor, size: tuple[int, int]) -> Tensor:
    """With a = -0.5, as in Pillow and in the tables of papers; without `antialias` torch takes -0.75."""
    return F.interpolate(small, size, mode="bicubic", antialias=True)


def _lanczos(small: Tensor, size: tuple[int, int]) -> Tensor:
    """Three lobes on each side, as in Pillow."""
    rows, columns = (_lanczos_weights(n, m).to(small) for n, m in zip(small.shape[2:], size, strict=True))
    return rows @ small @ columns.T


def _lanczos_weights(small: int, large: int) -> Tensor:
    """What each of the `large` places has of each of the `small` ones, (H, h)."""
    at = (torch.arange(large, dtype=torch.float64) + 0.5) * small / large - 0.5
    away = at[:, None] - torch.arange(small)
    weights = torch.where(away.abs() < 3, torch.sinc(away) * torch.sinc(away / 3), 0.0)
    return weights / weights.sum(1, keepdim=True)


def _sharpened(small: Tensor, size: tuple[int, int]) -> Tensor:
    """Lanczos's filter and an unsharp mask, whose width and amount were chosen by training photographs."""
    large = _lanczos(small, size)
    reach = size[0] // small.shape[2] * REACH
    at = torch.arange(-round(3 * reach), round(3 * reach) + 1)
    weights = torch.exp(-0.5 * (at / reach) ** 2).to(large)
    kernel = (weights[:, None] * weights / weights.sum() ** 2).expand(large.shape[1], 1, -1, -1)
    blurred = F.conv2d(F.pad(large, (len(at) // 2,) * 4, mode="replicate"), kernel, groups=large.shape[1])
    return large + AMOUNT * (large - blurred)


METHODS: dict[str, Callable[[Tensor, tuple[int, int]], Tensor]] = {
    "nearest": _nearest,
    "bicubic": _bicubic,
    "lanczos": _lanczos,
    "sharpened": _sharpened,
}


@torch.no_grad()
def baselines(
    batches: Iterable[dict[str, Tensor]], small_of: Small, factor: int, features: nn.Module
) -> dict[str, float]:
    """`psnr_bicubic` and the like: each score of each method. Batches have an "image" in [-1, 1]; `small_of` makes
    images in [0, 1] of the batch of a number smaller."""
    sums: dict[str, list[float]] = {}
    for number, batch in enumerate(batches):
        truth = batch["image"].float() / 2 + 0.5
        small = small_of(truth, number)
        for method, enlarge in METHODS.items():
            made = enlarge(small, (truth.shape[2], truth.shape[3]))
            for score, (total, count) in scores_of(made, truth, factor, features).items():
                before = sums.setdefault(f"{score}_{method}", [0.0, 0.0])
                before[0], before[1] = before[0] + float(total), before[1] + float(count)
    return {name: total / count for name, (total, count) in sums.items()}
