"""Adaptive discriminator augmentation (ADA), so that a discriminator cannot learn a small data set by heart.

Karras, Aittala, Hellsten, Laine, Lehtinen & Aila 2020, "Training Generative Adversarial Networks with Limited Data"
(NeurIPS, arXiv:2006.06676). Written from the paper.

The idea: real and generated images alike are changed before the discriminator sees them, each kind of change with
probability p, so that p = 0 shows every image as it is. While p is well below 1, the generator can still tell what
unchanged images look like, since these remain more frequent than any changed ones (section 2.2), and learns to draw
those and not changed ones. How much is needed follows from how far the discriminator overfits (section 3, eq. 1):

    rₜ = E[sign D(x)]     over real training images: 0 if it cannot tell them, 1 if it is sure of every one
    p ← p + sign(rₜ − target) · (images seen since the last change) / (images to go from 0 to 1)

Changes, in the order of section B; each row with a draw of its own:

| kind | changes |
|---|---|
| blit | mirrored; turned by quarters; shifted by up to an eighth of the size |
| geometric | scaled by 2^N(0, 0.2²); turned; one axis scaled against the other; shifted by N(0, 0.125²) of the size |
| color | brightness + N(0, 0.2²); contrast × 2^N(0, 0.5²); luma flipped; of color images hue and saturation |

Geometric changes of an image are one matrix, and the image is resampled once: enlarged twice by the low-pass filter of
the wavelet sym6 (Daubechies 1992), read at the places that the matrix says, reduced by the same filter, which would
give back an image that was not moved. What lies beyond the edges is a reflection. Images whose matrix is the identity
are passed on as they are, so at p = 0 all are, bit for bit.

What differs: bilinear reading is written with `gather`, because torch's `grid_sample` cannot be differentiated twice,
which R1 needs; turns before and after the scaling of one axis are those of the paper, with p_rot = 1 − √(1 − p); colors
are changed in place of a homogeneous matrix; the paper's filters and corruptions, off by its default, are left out.

Shapes: N batch, C channels, H = W size, values in [-1, 1].
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.gans.models.resampling import low_pass, upfirdn2d
from torchworks.shared.numbers.stream import StepRandom

SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
"""The scaling filter of the wavelet sym6: orthogonal to itself shifted by any even number of taps."""
DELAY = sum(k * tap for k, tap in enumerate(SYM6)) / sum(SYM6) - (len(SYM6) - 1) / 2
"""By how much its centre is off its middle, in taps: it is not symmetric, and an image that is turned between enlarging
and reducing would come out moved."""
EDGE = 6  # pixels of reflection that the enlarging filter reads
TURN = math.pi


def adaptive_augment(images: Tensor, kinds: Sequence[str], p: Tensor | float, random: StepRandom) -> Tensor:
    """Images (N, C, S, S), each changed by each change of `kinds` ("blit", "geometric", "color") with probability `p`;
    differentiable twice with respect to them. Always computed in float32, or places would be off by parts of pixels."""
    p, changed = torch.as_tensor(p, dtype=torch.float32, device=images.device), images.float()
    with torch.autocast(images.device.type, enabled=False):
        for kind in kinds:
            changed = KINDS[kind](changed, p, random)
    return changed.to(images.dtype)


# ---- pixel blitting --------------------------------------------------------------------------------------


def blit(images: Tensor, p: Tensor, random: StepRandom) -> Tensor:
    """Changes that move pixels without mixing them."""
    n, _, size, _ = images.shape
    flip = _chosen(n, p, random) & (random.uniform(n) < 0.5)
    images = torch.where(_per_image(flip), images.flip(3), images)
    quarters = torch.where(_chosen(n, p, random), random.integers(4, n), 0)
    for quarter in (1, 2, 3):
        images = torch.where(_per_image(quarters == quarter), images.rot90(quarter, (2, 3)), images)
    reach, chosen = size // 8, _chosen(n, p, random)
    for dim in (2, 3):
        shift = torch.where(chosen, random.integers(2 * reach + 1, n) - reach, 0)
        images = _shifted(images, shift, dim)
    return images


def _shifted(images: Tensor, shift: Tensor, dim: int) -> Tensor:
    """Each image moved by `shift` (N,) pixels along `dim`; its reflection moves in."""
    size = images.shape[dim]
    source = _reflected(torch.arange(size, device=images.device) - shift[:, None], size)
    shape = [len(images), 1, 1, 1]
    shape[dim] = size
    return images.gather(dim, source.view(shape).expand_as(images))


def _reflected(place: Tensor, size: int) -> Tensor:
    """Places on a line of `size` pixels, 0 … size − 1, reflected at its first and last pixel."""
    period = 2 * (size - 1)
    place = place.remainder(period)
    return torch.minimum(place, period - place)


# ---- geometric -------------------------------------------------------------------------------------------


def geometric(images: Tensor, p: Tensor, random: StepRandom) -> Tensor:
    """Changes by a matrix for each image."""
    matrix, moved = _matrices(len(images), p, random)
    if images.device.type != "cpu":  # where to look for the moved ones would mean to wait
        return torch.where(_per_image(moved), resample(images, matrix), images)
    rows = moved.nonzero()[:, 0]
    return images.index_copy(0, rows, resample(images[rows], matrix[rows])) if len(rows) else images


def _matrices(n: int, p: Tensor, random: StepRandom) -> tuple[Tensor, Tensor]:
    """For each image, where its pixels come from: (N, 2, 3) in units of half the size from the middle, x before y; and
    whether that is anywhere else than where they are (N,)."""
    turned = 1 - torch.sqrt(1 - p)  # for each of the two turns, so that p is the probability of any
    scale, chosen = _drawn(torch.exp2(random.normal(n) * 0.2), 1.0, p, n, random)
    moved = chosen
    first, chosen = _drawn((random.uniform(n) * 2 - 1) * TURN, 0.0, turned, n, random)
    moved = moved | chosen
    stretch, chosen = _drawn(torch.exp2(random.normal(n) * 0.2), 1.0, p, n, random)
    moved = moved | chosen
    second, chosen = _drawn((random.uniform(n) * 2 - 1) * TURN, 0.0, turned, n, random)
    moved = moved | chosen
    chosen = _chosen(n, p, random)
    shift = torch.where(chosen[:, None], random.normal(n, 2) * 0.25, 0.0)  # 0.125 of the size
    moved = moved | chosen
    stretching = torch.diag_embed(torch.stack([1 / (scale * stretch), stretch / scale], dim=1))
    linear = _turn(first) @ stretching @ _turn(second)
    return torch.cat([linear, (linear @ shift[..., None])], dim=2), moved


def _drawn(values: Tensor, neutral: float, p: Tensor, n: int, random: StepRandom) -> tuple[Tensor, Tensor]:
    """`values` (N,) where they are chosen with probability `p`, `neutral` elsewhere; and where that is."""
    chosen = _chosen(n, p, random)
    return torch.where(chosen, values, neutral), chosen


def _turn(angle: Tensor) -> Tensor:
    """(N,) → (N, 2, 2)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], dim=1), torch.stack([sin, cos], dim=1)], dim=1)


def resample(images: Tensor, matrix: Tensor) -> Tensor:
    """Images (N, C, S, S) whose pixel at (x, y) is what was at `matrix` (N, 2, 3) times (x, y, 1), in units of half the
    size from the middle, without the frequencies that the pixels cannot hold."""
    size, taps = images.shape[-1], low_pass(SYM6, images.device)
    margin = len(SYM6) // 2 - 1  # what the reducing filter reads beyond the edges
    padded = F.pad(images, (EDGE,) * 4, mode="reflect")
    k = len(taps)
    fine = upfirdn2d(padded, (taps * 2).flip(0), up=2, padding=((k + 1) // 2, (k - 2) // 2))
    fine = fine[..., 2 * EDGE : -2 * EDGE, 2 * EDGE : -2 * EDGE]  # (N, C, 2S, 2S)
    side = torch.arange(-margin, 2 * size + margin, device=images.device, dtype=torch.float32) + DELAY
    x = (side - (size - 0.5)) / size  # (2S + 2 margin,)
    places = torch.stack([x.expand(len(x), -1), x[:, None].expand(-1, len(x)), torch.ones(len(x), len(x)).to(x)])
    source = torch.einsum("nij,jhw->nihw", matrix, places) * size + (size - 0.5)  # pixels of `fine`
    read = _read(fine, source - DELAY)
    return upfirdn2d(read, taps, down=2)


def _read(images: Tensor, places: Tensor) -> Tensor:
    """Images (N, C, H, W) at `places` (N, 2, H', W') in pixels, x before y, between pixels by bilinear interpolation;
    beyond the edges is a reflection."""
    n, channels, height, width = images.shape
    x, y = _reflected(places[:, 0], width), _reflected(places[:, 1], height)
    left, top = x.floor().clamp(0, width - 2), y.floor().clamp(0, height - 2)
    right, below = (x - left)[:, None].to(images.dtype), (y - top)[:, None].to(images.dtype)
    corner = (top * width + left).long().flatten(1)  # (N, H'·W')
    flat = images.flatten(2)

    def at(offset: int) -> Tensor:
        return flat.gather(2, (corner + offset)[:, None].expand(-1, channels, -1)).view(n, channels, *x.shape[1:])

    upper = at(0) * (1 - right) + at(1) * right
    lower = at(width) * (1 - right) + at(width + 1) * right
    return upper * (1 - below) + lower * below


# ---- color -----------------------------------------------------------------------------------------------


def color(images: Tensor, p: Tensor, random: StepRandom) -> Tensor:
    n, channels, *_ = images.shape

    def drawn(values: Tensor, neutral: float) -> Tensor:
        return _per_image(_drawn(values, neutral, p, n, random)[0]).to(images.dtype)

    images = images + drawn(random.normal(n) * 0.2, 0.0)
    images = images * drawn(torch.exp2(random.normal(n) * 0.5), 1.0)
    flip = _per_image(_chosen(n, p, random) & (random.uniform(n) < 0.5))
    luma = images.mean(dim=1, keepdim=True)
    images = torch.where(flip, images - 2 * luma, images)
    if channels != 3:
        return images
    angle = drawn((random.uniform(n) * 2 - 1) * TURN, 0.0)
    changed = angle != 0
    images = torch.where(changed, _hue(images, angle), images)
    factor = drawn(torch.exp2(random.normal(n)), 1.0)
    luma = images.mean(dim=1, keepdim=True)
    return torch.where(factor == 1, images, luma + (images - luma) * factor)


def _hue(images: Tensor, angle: Tensor) -> Tensor:
    """Colors turned by `angle` (N, 1, 1, 1) around the grey axis (Rodrigues' formula)."""
    cos, sin = angle.cos(), angle.sin()
    across = (images.roll(-1, 1) - images.roll(1, 1)) * (sin / math.sqrt(3))  # the grey axis × the color
    return images * cos + across * -1 + images.mean(dim=1, keepdim=True) * (1 - cos)


KINDS = {"blit": blit, "geometric": geometric, "color": color}


def _chosen(n: int, p: Tensor, random: StepRandom) -> Tensor:
    """Whether a change is made to each of `n` images."""
    return random.uniform(n) < p


def _per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]


# ---- how much --------------------------------------------------------------------------------------------


class Controller:
    """Holds p and moves it so that rₜ goes to `target`: after each `every` steps, by as much as takes it from 0 to 1
    in `images` images. With `target` 0, p stays.

    What it counts stays on the device, so that no step waits for it; its state is plain data.
    """

    def __init__(self, p: float = 0.0, *, target: float = 0.6, every: int = 4, images: int = 500_000):
        self.target, self.every, self.images = target, every, images
        self.p = torch.tensor(p)
        self.signs, self.count = torch.zeros(()), 0
        self.step = 0

    def observe(self, step: int, logits: Tensor) -> None:
        """Take in the logits (n,) of real images in training step `step`; p changes before the first of them in every
        `every`-th step."""
        self.to(logits.device)
        if self.target and step != self.step and step % self.every == 0:
            self.adjust()
        self.step = step
        self.signs = self.signs + logits.detach().float().sign().sum()
        self.count += len(logits)

    def adjust(self) -> None:
        """Move p by what was observed since the last time."""
        if self.count:
            towards = torch.sign(self.signs / self.count - self.target)
            self.p = (self.p + towards * (self.count / self.images)).clamp(0, 1)
        self.signs, self.count = torch.zeros_like(self.signs), 0

    def to(self, device: torch.device) -> None:
        self.p, self.signs = self.p.to(device), self.signs.to(device)

    def state_dict(self) -> dict[str, Any]:
        return {"p": self.p.item(), "signs": self.signs.item(), "count": self.count, "step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.p, self.signs = torch.tensor(state["p"]), torch.tensor(state["signs"])
        self.count, self.step = state["count"], state["step"]
