"""The latent vectors that `gans sample` draws, without torch.

Row i of a seed is what `torchworks.shared.numbers.stream.sample_normal` gives for it, up to the last bits of a float32.
PyTorch's generator on a CPU is the Mersenne twister seeded by the low 32 bits, and Box and Muller's formula
(1958) makes normal numbers of its uniform ones. In rows of 16 and more, uniform numbers have 24 bits and are taken in
blocks of 16; of a row whose length is no multiple of 16 the last 16 numbers are drawn anew. Shorter rows take them in
pairs, with 53 bits (`normal_fill` and `normal_distribution` in PyTorch's ATen).
"""

import math

import numpy as np

from torchworks.shared.numbers.seeds import mix

BLOCK = 16


def draw(seed: int, indices: range, size: int, *, uniform: bool) -> np.ndarray:
    """float32 (len(indices), size), row i of which depends on (seed, indices[i]) alone: standard normal, or `uniform`
    in [-1, 1]."""
    twister = np.random.RandomState(0)
    make = _short_row if size < BLOCK else _row
    normal = np.empty((len(indices), size), np.float32)
    for row, index in zip(normal, indices, strict=True):
        twister.seed(mix(seed, index) & 0xFFFFFFFF)
        row[:] = make(twister, size)
    return _erf(normal / math.sqrt(2)).astype(np.float32) if uniform else normal


def _row(twister: "np.random.RandomState", size: int) -> np.ndarray:
    row = _uniform(twister, size)
    whole = size - size % BLOCK
    row[:whole] = _normal(row[:whole])
    if whole < size:
        row[-BLOCK:] = _normal(_uniform(twister, BLOCK))
    return row


def _uniform(twister: "np.random.RandomState", count: int) -> np.ndarray:
    """float32 (count,) in [0, 1)."""
    return (_bits(twister, count) & 0xFFFFFF).astype(np.float32) * np.float32(2**-24)


def _normal(uniform: np.ndarray) -> np.ndarray:
    """(16 k,) of uniform numbers: in each block the first half gives the radii, the second the angles."""
    first, second = uniform.reshape(-1, 2, BLOCK // 2).swapaxes(0, 1)
    radius = np.sqrt(-2 * np.log(1 - first))
    angle = np.float32(2 * math.pi) * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


def _short_row(twister: "np.random.RandomState", size: int) -> np.ndarray:
    """Pairs of uniform numbers: the first gives the angle, the second the radius."""
    high, low = _bits(twister, 4 * -(-size // 2)).astype(np.uint64).reshape(-1, 2).T
    uniform = ((high << np.uint64(32) | low) & np.uint64((1 << 53) - 1)) * 2.0**-53
    angle, radius = 2 * math.pi * uniform[0::2], np.sqrt(-2 * np.log1p(-uniform[1::2]))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)[:size]


def _bits(twister: "np.random.RandomState", count: int) -> np.ndarray:
    """The twister's own 32-bit numbers, uint32 (count,)."""
    return twister.randint(0, 1 << 32, count, dtype=np.uint32)


_erf = np.vectorize(math.erf, otypes=[np.float64])
