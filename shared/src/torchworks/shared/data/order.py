"""Which samples a batch holds, as a pure function of (seed, epoch, position).

Nothing here remembers how it got where it is, so a resume at position p costs what any other batch costs, and
the number of workers cannot change anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from torchworks.shared.numbers.stream import SampleRandom, mix

_TABLE_LIMIT = 1 << 24  # numbers; larger draws are made batch by batch


@dataclass(frozen=True)
class Order:
    """Batches of `batch_size` samples for each of `world` processes, out of `size` samples."""

    size: int
    batch_size: int
    seed: int = 0
    rank: int = 0
    world: int = 1
    _together: int = field(init=False)

    def __post_init__(self):
        assert self.size > 0
        assert self.batch_size > 0
        assert 0 <= self.rank < self.world
        object.__setattr__(self, "_together", self.batch_size * self.world)

    @property
    def batches(self) -> int:
        """Whole batches an epoch; what is left over waits for another epoch's order."""
        return max(1, self.size // self._together)

    def epoch(self, number: int) -> Tensor:
        """This process's samples in epoch `number`, int64 (batches, batch_size).

        Batch p of all processes together is permutation[p·B·W : (p+1)·B·W]; rank r has its r-th part. When
        there are fewer samples than that, the one batch goes on with further permutations.
        """
        return self._whole_epoch(number).view(self.batches, self.world, self.batch_size)[:, self.rank]

    def _whole_epoch(self, number: int) -> Tensor:
        """The samples of all processes in epoch `number`, int64 (batches · world · batch_size,)."""
        needed = self.batches * self._together
        parts, drawn = [self._permutation(number)], self.size
        while drawn < needed:
            parts.append(self._permutation(number, len(parts)))
            drawn += self.size
        return torch.cat(parts)[:needed]

    def endless(self, position: int) -> Iterator[Tensor]:
        """This process's samples, int64 (batch_size,), of every training batch from number `position` on."""
        epoch, start = divmod(position, self.batches)
        while True:
            yield from self.epoch(epoch)[start:]
            epoch, start = epoch + 1, 0

    def _permutation(self, *place: int) -> Tensor:
        generator = torch.Generator().manual_seed(mix(self.seed, "order", *place))
        return torch.randperm(self.size, generator=generator)

    @property
    def passes(self) -> int:
        """Batches of one ordered pass over all samples."""
        whole, left = divmod(self.size, self._together)
        return whole if whole and left < self.world else whole + 1

    def ordered(self) -> list[Tensor]:
        """One pass over all samples in their own order: every process gets `passes` batches, int64 (n,).

        Rank r has rows r::world of each. The last batch is smaller; should too few samples be left for every
        process to have one, they join the batch before.
        """
        starts = [number * self._together for number in range(self.passes)]
        ends = [*starts[1:], self.size]
        spans = zip(starts, ends, strict=True)
        return [torch.arange(start + self.rank, end, self.world) for start, end in spans]


@dataclass(frozen=True)
class BucketOrder(Order):
    """Batches of samples of about the same length, so that padding wastes little:

        lengths = lengths_of(dataset, "tokens")
        loader = ResidentLoader(dataset, 32, order=BucketOrder(len(dataset), 32, lengths=lengths, rank=r, world=w), …)

    The samples of an epoch, in the order that `Order` draws, are taken `pool` batches of all processes at a time and
    sorted by length; each batch of them is a bucket, within which the drawn order holds, and the buckets of an epoch
    are shuffled. So every process has `batch_size` samples of the same bucket at the same time, and two processes
    together have the batch of one with the double size. A larger pool pads less and mixes less. All of it is a pure
    function of (seed, epoch, position); an evaluation pass keeps the samples' own order.
    """

    lengths: Tensor = field(kw_only=True, compare=False)
    """int64 (size,), on the CPU."""
    pool: int = field(default=100, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        assert len(self.lengths) == self.size, f"{len(self.lengths)} lengths for {self.size} samples"
        assert self.pool > 0

    def _whole_epoch(self, number: int) -> Tensor:
        pools = super()._whole_epoch(number).split(self.pool * self._together)
        buckets = torch.cat([self._buckets(samples) for samples in pools])
        generator = torch.Generator().manual_seed(mix(self.seed, "buckets", number))
        return buckets[torch.randperm(self.batches, generator=generator)].flatten()

    def _buckets(self, samples: Tensor) -> Tensor:
        """The samples of a pool by length, int64 (buckets, samples of all processes)."""
        places = self.lengths[samples].argsort(stable=True).view(-1, self._together)
        return samples[places.sort(1).values]


class EpochRandom(SampleRandom):
    """`SampleRandom` for one batch after another of an epoch: small draws are made for all samples at once and
    looked up from then on. The numbers are the same."""

    def __init__(self, seed: int, epoch: int, size: int, device: torch.device):
        super().__init__(seed, epoch, torch.arange(size, device=device))
        self._all = self._index
        self._tables: dict[tuple[int, tuple[int, ...]], Tensor] = {}

    def at(self, index: Tensor) -> "EpochRandom":
        """Go to the samples `index`, int64 (N,), and start again with the first draw."""
        self._index, self._draws = index, 0
        return self

    def uniform(self, *shape: int) -> Tensor:
        if len(self._all) * torch.Size(shape).numel() > _TABLE_LIMIT:
            return super().uniform(*shape)
        draw, index = self._draws, self._index
        if (draw, shape) not in self._tables:
            self._index = self._all
            self._tables[draw, shape] = super().uniform(*shape)
            self._index = index
        self._draws = draw + 1
        return self._tables[draw, shape].index_select(0, index)
