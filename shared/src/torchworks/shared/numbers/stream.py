"""Random numbers that are pure functions of what they are for.

A generator whose state marches on ties a number to everything drawn before it: a resume, another worker count
or another batch size then changes the run. Here a number is a function of (seed, step, phase, row) or of
(seed, epoch, sample), so none of those can.
"""

import torch
from torch import Tensor

from torchworks.shared.numbers.seeds import mix


class StepRandom:
    """Random tensors for one call of a task's `loss` or `evaluate`; the trainer moves it on with `at`.

    With several processes or micro-batches, `rows` of `total` rows starting at `start` belong to this call: a
    draw for `rows` rows makes all `total` and keeps its own, so the split never changes anybody's numbers.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu"):
        self.seed, self.device = seed, torch.device(device)
        self._generator = torch.Generator(self.device)
        self.at("idle")

    def at(self, *place: int | str, rows: int = 0, start: int = 0, total: int = 0) -> "StepRandom":
        self._place, self._draws = place, 0
        self._rows, self._start, self._total = rows, start, total
        return self

    def _draw(self, function, n: int, shape: tuple[int, ...], *args) -> Tensor:
        self._draws += 1
        split = n == self._rows and self._total > n
        rank = 0 if split else self._start
        self._generator.manual_seed(mix(self.seed, *self._place, self._draws, rank))
        size = (self._total if split else n, *shape)
        values = function(*args, size, generator=self._generator, device=self.device)
        return values[self._start : self._start + n] if split else values

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal (n, *shape)."""
        return self._draw(torch.randn, n, shape)

    def uniform(self, n: int, *shape: int) -> Tensor:
        """Uniform in [0, 1), (n, *shape)."""
        return self._draw(torch.rand, n, shape)

    def integers(self, high: int, n: int, *shape: int) -> Tensor:
        """Integers in [0, high), int64 (n, *shape)."""
        return self._draw(torch.randint, n, shape, high)


def sample_normal(seed: int, indices: range | list[int], *shape: int) -> Tensor:
    """Standard normal (len(indices), *shape) on the CPU, where row i depends on (seed, indices[i]) alone: the
    same seed gives the same images at every batch size."""
    generator = torch.Generator()
    rows = [torch.randn(shape, generator=generator.manual_seed(mix(seed, index))) for index in indices]
    return torch.stack(rows) if rows else torch.empty(0, *shape)


class SampleRandom:
    """Per-sample random numbers for augmentation: row i depends on (seed, epoch, index[i]) alone, and, if it is to be
    `constant`, not even on the epoch.

    `index` is an int64 tensor (N,) on any device; each draw is a new stream. A draw is the splitmix64 finalizer
    over a counter, in integer arithmetic that every device does alike.
    """

    def __init__(self, seed: int, epoch: int, index: Tensor):
        self.seed, self.epoch = seed, epoch
        self._base, self._index, self._draws = mix(seed, epoch, "sample"), index, 0

    def uniform(self, *shape: int) -> Tensor:
        """Uniform in [0, 1), float32 (N, *shape)."""
        return self._uniform(self._base, shape)

    def constant(self, *shape: int) -> Tensor:
        """Uniform in [0, 1), float32 (N, *shape), the same in every epoch."""
        return self._uniform(mix(self.seed, "sample"), shape)

    def _uniform(self, base: int, shape: tuple[int, ...]) -> Tensor:
        self._draws += 1
        columns = 1
        for size in shape:
            columns *= size
        stream = _signed(mix(base, self._draws))
        counter = self._index[:, None] * columns + torch.arange(columns, device=self._index.device)
        bits = _finalize(_finalize(counter + stream))
        return (_shift(bits, 40).to(torch.float32) / (1 << 24)).view(len(self._index), *shape)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _shift(bits: Tensor, by: int) -> Tensor:
    """Logical shift right; torch's own is arithmetic on int64."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


def _finalize(bits: Tensor) -> Tensor:
    bits = (bits ^ _shift(bits, 30)) * _signed(0xBF58476D1CE4E5B9)
    bits = (bits ^ _shift(bits, 27)) * _signed(0x94D049BB133111EB)
    return bits ^ _shift(bits, 31)
