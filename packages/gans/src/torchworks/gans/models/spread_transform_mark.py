"""An invisible mark in an image: bits spread over middle frequencies.

Cox, Kilian, Leighton & Shamoon 1997, "Secure Spread Spectrum Watermarking for Multimedia" (IEEE Transactions on Image
Processing 6(12)), put a mark into many coefficients of an image's discrete cosine transform, so that each changes
little and all together are found again. Here each bit k has a pattern u_k of its own: coefficients that no other bit
has, each with a sign, of norm 1. Of the image's transform X the projection p_k = ⟨X, u_k⟩ then holds the bit s_k = ±1.
Cox et al. add to it; in an image as small as a face the image itself is ten times louder than that. So the projection
is moved to the nearest of the places that stand for its bit,

    X ← X + Σ_k (q(p_k, s_k) − p_k) u_k,      q(p, s) = Δ round(p/Δ − s/4) + s Δ/4

which is spread-transform dither modulation (Chen & Wornell 2001, "Quantization Index Modulation", IEEE Transactions on
Information Theory 47(4), section V.B). The bit is read as the sign of sin(2π p/Δ), and is right as long as p has moved
by less than Δ/4. What the image itself has in p does not matter.

32 of the bits are always the same (`SYNC`): by how many of them agree, an image with a mark is told from one without.
Of an image that has nothing to do with the patterns each agrees with probability ½. The other 16 are a payload.

The patterns belong to cosines of the whole image, the lowest 28 a side, whatever its size: an image that is resized
keeps them. Only the luma is changed, which JPEG keeps best. Where values would leave [0, 1] they are cut off, and the
mark is put in again (`ROUNDS`). Rounding aside, everything is a product of matrices, so that it exports; where p lies
midway between two places, another order of sums may move it to the other one, a difference of a hundredth at most.

The key is no secret: it is in this file, and whoever reads it can take the mark out again.

Shape letters: N images, H × W pixels, K bits, F frequencies a side.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

SYNC_BITS, PAYLOAD_BITS = 32, 16
LOWEST, HIGHEST = 10.0, 28.0
"""Distance from frequency 0 of the coefficients used."""
FREQUENCIES = int(HIGHEST)
SMALLEST = 32
"""Pixels a side below which an image does not have all of these frequencies."""
STEP = 0.24
"""Δ, for an image of 64 × 64 pixels in [0, 1]."""
ROUNDS = 3
_KEY = 20171
_UNIT = 64.0
"""Side of the image of whose orthonormal transform the projections are, whatever the size of the image."""
_LUMA = (0.299, 0.587, 0.114)


def cosines(size: int) -> Tensor:
    """The lowest rows of the orthonormal discrete cosine transform (type II) of `size` values, (F, size)."""
    k, n = torch.arange(FREQUENCIES, dtype=torch.float64)[:, None], torch.arange(size, dtype=torch.float64)
    rows = math.sqrt(2 / size) * torch.cos(math.pi * (n + 0.5) * k / size)
    rows[0] /= math.sqrt(2)
    return rows


def patterns() -> Tensor:
    """The u_k, (K, F·F); no two share a coefficient."""
    k = np.arange(FREQUENCIES)
    away = np.hypot(k[:, None], k)
    places = np.flatnonzero((away >= LOWEST) & (away < HIGHEST))
    draw = np.random.default_rng(_KEY)
    bits = SYNC_BITS + PAYLOAD_BITS
    each = len(places) // bits
    chosen = draw.permutation(places)[: each * bits].reshape(bits, each)
    signs = draw.choice((-1.0, 1.0), chosen.shape) / math.sqrt(each)
    found = np.zeros((bits, FREQUENCIES**2))
    np.put_along_axis(found, chosen, signs, 1)
    return torch.from_numpy(found)


def sync_signs() -> Tensor:
    """The bits that every mark has, ±1, (32,)."""
    return torch.from_numpy(np.random.default_rng(_KEY + 1).choice((-1.0, 1.0), SYNC_BITS))


def payload_signs(payload: int) -> Tensor:
    """The bits of a number from 0 to 65,535, lowest first, ±1, (16,)."""
    assert 0 <= payload < 1 << PAYLOAD_BITS, f"a payload of {payload} does not fit into {PAYLOAD_BITS} bits"
    return torch.tensor([1.0 if payload >> i & 1 else -1.0 for i in range(PAYLOAD_BITS)], dtype=torch.float64)


def luma(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) → brightness (N, H, W) as JPEG takes it (BT.601)."""
    return (images * images.new_tensor(_LUMA).view(3, 1, 1)).sum(1)


def read_bits(brightness: Tensor) -> Tensor:
    """What brightness (N, H, W) in [0, 1], at least 32 × 32, says of each bit: (N, K) in [-1, 1], whose signs are the
    bits."""
    height, width = brightness.shape[1:]
    rows, columns = cosines(height).to(brightness), cosines(width).to(brightness)
    found = (rows @ brightness @ columns.T * (_UNIT / math.sqrt(height * width))).flatten(1)
    return torch.sin(2 * math.pi / STEP * (found @ patterns().to(brightness).T))


class SpreadTransformMark(nn.Module):
    """Images (N, 3, size, size) in [0, 1] to the same with the mark of `payload`."""

    rows: Tensor
    patterns: Tensor
    shifts: Tensor

    def __init__(self, size: int, payload: int):
        super().__init__()
        assert size >= SMALLEST, f"images of {size} pixels have no room for a mark; it takes {SMALLEST}"
        self.size = size
        shifts = torch.cat([sync_signs(), payload_signs(payload)]) / 4
        for name, value in (("rows", cosines(size)), ("patterns", patterns()), ("shifts", shifts)):
            self.register_buffer(name, value.float(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        for _ in range(ROUNDS):
            images = (images + self._change(images)[:, None]).clamp(0, 1)
        return images

    def _change(self, images: Tensor) -> Tensor:
        """What the brightness lacks, (N, size, size)."""
        scale = _UNIT / self.size
        found = (self.rows @ luma(images) @ self.rows.T * scale).flatten(1) @ self.patterns.T / STEP
        lacking = torch.round(found - self.shifts) + self.shifts - found
        change = (STEP / scale * lacking @ self.patterns).unflatten(1, (FREQUENCIES, FREQUENCIES))
        return self.rows.T @ change @ self.rows
