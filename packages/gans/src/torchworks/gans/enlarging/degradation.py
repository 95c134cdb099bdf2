"""How photographs lose detail: what a net that enlarges is shown, made from what it should give back.

`bicubic` is the reduction of most papers: antialiased bicubic interpolation, then 8 bits.

`second_order` is that of Wang et al. 2021, "Real-ESRGAN" (arXiv:2107.10833), section 3.2: blur, resizing by a random
filter, noise and JPEG, twice over, then a sinc filter, whose rings look like those of sharpened and compressed photos.

    kernel k(x)       isotropic and anisotropic Gaussian exp(−½ xᵀΣ⁻¹x), generalized exp(−½ (xᵀΣ⁻¹x)^β),
                      plateau 1 / (1 + (xᵀΣ⁻¹x)^β); sinc ω / (2π r) · J₁(ω r), ω the highest frequency that passes
    noise             Gaussian, or Poisson, in color or in grey

The ranges are those of the paper's released settings for ×4. What differs: Poisson noise is a Gaussian one of the same
variance, which at 256 counts it all but is.

Everything random is a function of the numbers given for a row, so that neither the batch nor a resume changes it.

Shape letters: N images, H × W pixels, F factor.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from torchworks.shared.numbers.stream import StepRandom

NUMBERS = 64
"""Uniform numbers that a row has at its disposal."""
_KERNEL = 21
_KINDS = ((0.45, "isotropic"), (0.70, "anisotropic"), (0.82, "generalized"), (0.85, "generalized-anisotropic"),
          (0.97, "plateau"), (1.0, "plateau-anisotropic"))  # fmt: skip
_SINC = 0.1
"""Chance of a sinc filter in the place of another kernel."""
_FILTERS = ("area", "bilinear", "bicubic")


@dataclass(frozen=True)
class Stage:
    """One of the two passes: ranges, and chances of going up, down, or keeping the size."""

    blurred: float
    sigma: tuple[float, float]
    up: float
    down: float
    sizes: tuple[float, float]
    gaussian: tuple[float, float]
    poisson: tuple[float, float]


STAGES = (
    Stage(1.0, (0.2, 3.0), 0.2, 0.7, (0.15, 1.5), (1.0, 30.0), (0.05, 3.0)),
    Stage(0.8, (0.2, 1.5), 0.3, 0.4, (0.3, 1.2), (1.0, 25.0), (0.05, 2.5)),
)
_JPEG = 30.0, 95.0
_LAST_SINC = 0.8


def bicubic(images: Tensor, factor: int) -> Tensor:
    """(N, 3, H, W) in [0, 1] → (N, 3, H / F, W / F) in [0, 1], on the 256 levels of 8 bits."""
    size = images.shape[2] // factor, images.shape[3] // factor
    return levels(F.interpolate(images.float(), size, mode="bicubic", antialias=True))


def second_order(images: Tensor, factor: int, random: StepRandom) -> Tensor:
    """The same, each image degraded by chance."""
    numbers = random.uniform(len(images), NUMBERS).tolist()
    noise = random.normal(len(images), 2, *images.shape[1:])
    rows = zip(images.float(), numbers, noise, strict=True)
    return torch.stack([_degraded(image, factor, Numbers(drawn), noises) for image, drawn, noises in rows])


def levels(images: Tensor) -> Tensor:
    """[0, 1], rounded to the 256 levels of 8 bits."""
    return (images.clamp(0, 1) * 255).round() / 255


class Numbers:
    """The uniform numbers of one row, taken one after the other."""

    def __init__(self, drawn: Sequence[float]):
        self._left = iter(drawn)

    def __call__(self) -> float:
        return next(self._left)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self()

    def one_of(self, choices: Sequence[str]) -> str:
        return choices[int(self() * len(choices))]


def _degraded(image: Tensor, factor: int, draw: Numbers, noise: Tensor) -> Tensor:
    """One image (3, H, W) → (3, H / F, W / F); `noise` are normal numbers (2, 3, H, W)."""
    height, width = image.shape[1], image.shape[2]
    x = image[None]
    for number, stage in enumerate(STAGES):
        if draw() < stage.blurred:
            x = filtered(x, kernel(draw, stage.sigma))
        sizes = height / factor**number, width / factor**number  # the second pass is about the size of the result
        x = _resized(x, sizes, _share(draw, stage), draw)
        x = _noisy(x, noise[number : number + 1], stage, draw)
        if number == 0:
            x = jpeg(x, draw.between(*_JPEG))
    small = height // factor, width // factor
    last = sinc(draw.between(math.pi / 3, math.pi)) if draw() < _LAST_SINC else None
    filter_, quality = draw.one_of(_FILTERS), draw.between(*_JPEG)
    if draw() < 0.5:
        x = jpeg(_finished(x, small, filter_, last), quality)
    else:
        x = _finished(jpeg(x, quality), small, filter_, last)
    return levels(x)[0]


def _finished(x: Tensor, size: tuple[int, int], name: str, last: Tensor | None) -> Tensor:
    x = _interpolated(x, size, name)
    return (x if last is None else filtered(x, last)).clamp(0, 1)


def _share(draw: Numbers, stage: Stage) -> float:
    """How many times larger the image becomes."""
    chance, low, high = draw(), *stage.sizes
    if chance < stage.up:
        return draw.between(1, high)
    return draw.between(low, 1) if chance < stage.up + stage.down else 1.0


def _resized(x: Tensor, sizes: tuple[float, float], share: float, draw: Numbers) -> Tensor:
    height, width = (max(1, round(size * share)) for size in sizes)
    return _interpolated(x, (height, width), draw.one_of(_FILTERS)).clamp(0, 1)


def _interpolated(x: Tensor, size: tuple[int, int], name: str) -> Tensor:
    return F.interpolate(x, size, mode=name, **({} if name == "area" else {"align_corners": False}))


def _noisy(x: Tensor, noise: Tensor, stage: Stage, draw: Numbers) -> Tensor:
    """Noise is cut, or mirrored on, to the size of the image."""
    noise = _fitted(noise, x.shape[2], x.shape[3])
    noise = noise[:, :1].expand_as(noise) if draw() < 0.4 else noise  # grey
    if draw() < 0.5:
        return (x + noise * (draw.between(*stage.gaussian) / 255)).clamp(0, 1)
    return (x + noise * (x / 255).sqrt() * draw.between(*stage.poisson)).clamp(0, 1)


def _fitted(noise: Tensor, height: int, width: int) -> Tensor:
    for axis, size in ((2, height), (3, width)):
        while noise.shape[axis] < size:
            noise = torch.cat([noise, noise.flip(axis)], axis)
    return noise[:, :, :height, :width]


def jpeg(x: Tensor, quality: float) -> Tensor:
    """One image (1, 3, H, W) in [0, 1], written as JPEG and read again."""
    pixels = (x[0].clamp(0, 1) * 255).round().to("cpu", torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=round(quality))
    with Image.open(file) as image:
        read = np.array(image.convert("RGB"))
    return (torch.from_numpy(read).permute(2, 0, 1)[None].float() / 255).to(x.device)


# ------------------------------------------------------------------------------------------------------ filters


def filtered(x: Tensor, weights: Tensor) -> Tensor:
    """(N, C, H, W) by a kernel (k, k), k odd; the image is mirrored at its edges, or repeated if it is small."""
    reach, channels = weights.shape[0] // 2, x.shape[1]
    mode = "reflect" if min(x.shape[2:]) > reach else "replicate"
    padded = F.pad(x, (reach,) * 4, mode=mode)
    return F.conv2d(padded, weights.to(x).expand(channels, 1, -1, -1), groups=channels)


def kernel(draw: Numbers, sigmas: tuple[float, float]) -> Tensor:
    """A random blur (k, k) whose sum is 1."""
    size = 7 + 2 * int(draw() * 8)
    if draw() < _SINC:
        low = math.pi / 3 if size < 13 else math.pi / 5
        return sinc(draw.between(low, math.pi), size)
    chance = draw()
    kind = next(name for most, name in _KINDS if chance < most)
    along = draw.between(*sigmas)
    across, angle = (draw.between(*sigmas), draw.between(-math.pi, math.pi)) if "aniso" in kind else (along, 0.0)
    squared = _ellipse(size, along, across, angle)
    if kind.startswith("generalized"):
        weights = torch.exp(-0.5 * squared ** draw.between(0.5, 4.0))
    elif kind.startswith("plateau"):
        weights = 1 / (1 + squared ** draw.between(1.0, 2.0))
    else:
        weights = torch.exp(-0.5 * squared)
    return weights / weights.sum()


def _ellipse(size: int, along: float, across: float, angle: float) -> Tensor:
    """xᵀΣ⁻¹x at each place of a kernel (k, k)."""
    at = torch.arange(size) - size // 2
    y, x = torch.meshgrid(at.float(), at.float(), indexing="ij")
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    return (u / along).square() + (v / across).square()


def sinc(cutoff: float, size: int = _KERNEL) -> Tensor:
    """The circular low-pass filter (k, k) of a `cutoff` in radians a pixel, whose sum is 1."""
    at = torch.arange(size, dtype=torch.float64) - size // 2
    radius = torch.hypot(at[:, None], at[None, :])
    radius[size // 2, size // 2] = 1.0
    weights = cutoff * torch.special.bessel_j1(cutoff * radius) / (2 * math.pi * radius)
    weights[size // 2, size // 2] = cutoff**2 / (4 * math.pi)
    return (weights / weights.sum()).float()
