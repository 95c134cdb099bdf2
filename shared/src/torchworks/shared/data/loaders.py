"""Loaders: batches on the device, from a set that lives there or from files decoded as training goes.

    loader = ResidentLoader(source.train, 64, seed=0, device="cuda", augment=[flip()])
    for batch in loader.iter_from(0):       # training: endless, position by position
        batch["image"]                      # float32 (64, C, H, W) in [-1, 1]
    for batch in loader:                    # evaluation: every sample once, in order, not augmented
        ...

All loaders give the same batches, bit for bit: order and augmentation are pure functions of the seed and the
position (see `order.py`), and the pixels of a sample are decoded by the same code.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data.augment import Augment
from torchworks.shared.data.dataset import resident
from torchworks.shared.data.order import EpochRandom, Order
from torchworks.shared.data.ragged import length_name
from torchworks.shared.data.schema import Dataset

Batch = dict[str, Tensor]
_NORMALIZED_LIMIT = 256 << 20  # bytes of float32 images that a resident loader keeps ready


class Loader:
    """What the loaders have in common; a subclass says how samples become tensors on the device.

    `rank` of `world` processes gets `batch_size` samples of each global batch of `batch_size` × `world`.
    Fields of kind image leave as float32 (uint8 / 255 − mean) / std and alone are augmented, others leave as they are,
    a ragged field `x` padded to the longest of the batch, with `x_length`; `index` is each sample's place in the data
    set. `mean` and `std` are one number or one per channel. `order` replaces the usual `Order`, for example by a
    `BucketOrder`.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        train: bool = True,
        augment: Sequence[Augment] = (),
        rank: int = 0,
        world: int = 1,
        mean: float | Sequence[float] = 0.5,
        std: float | Sequence[float] = 0.5,
        order: Order | None = None,
    ):
        if not len(dataset):
            raise UserError("The data set is empty: there is not a single sample to make a batch of.")
        self.dataset, self.schema = dataset, dataset.schema
        self.batch_size, self.seed, self.device, self.train = batch_size, seed, torch.device(device), train
        self.augment = tuple(augment)
        self.order = order or Order(len(dataset), batch_size, seed, rank, world)
        assert (self.order.size, self.order.batch_size) == (len(dataset), batch_size), "an order of other data"
        self._images = [item.name for item in dataset.schema.fields if item.kind == "image"]
        self._normalize = Normalize(mean, std, self.device)

    @property
    def batches(self) -> int:
        """Training batches an epoch, or batches of one evaluation pass."""
        return self.order.batches if self.train else self.order.passes

    def iter_from(self, position: int) -> Iterator[Batch]:
        """Endless training batches; `position` counts those consumed since the start of the training."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Batch]:
        """One ordered pass over all samples, not augmented."""
        raise NotImplementedError

    def _random(self, epoch: int) -> EpochRandom:
        return EpochRandom(self.seed, epoch, len(self.dataset), self.device)

    def _augmented(self, batch: Batch, random: EpochRandom) -> Batch:
        """`batch` with every image field augmented; the fields of one sample get the same random numbers."""
        for name in self._images if self.augment else ():
            random.at(batch["index"])
            for change in self.augment:
                batch[name] = change(batch[name], random)
        return batch


class Normalize:
    """uint8 (N, C, H, W) → float32 (x / 255 − mean) / std, one kernel if all channels share `std`."""

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float], device: torch.device):
        means, stds = np.broadcast_arrays(np.atleast_1d(mean), np.atleast_1d(std))
        # rounded towards zero, so that white never exceeds (1 − mean) / std
        scales = np.nextafter((1 / (255 * stds)).astype(np.float32), np.float32(0))
        biases = (-means / stds).astype(np.float32)
        self._bias = torch.from_numpy(biases).view(-1, 1, 1).to(device)
        self._scale = torch.from_numpy(scales).view(-1, 1, 1).to(device)
        self._one_scale = float(scales[0]) if len(set(scales.tolist())) == 1 else None

    def __call__(self, images: Tensor) -> Tensor:
        if self._one_scale is not None:
            return torch.add(self._bias, images, alpha=self._one_scale)
        return images.mul(self._scale).add_(self._bias)


class ResidentLoader(Loader):
    """The whole data set on the device: a batch is an index, a normalization, the augmentations.

    Images stay there as uint8, or ready as float32 if that takes no more than 256 MiB.
    """

    def __init__(self, dataset: Dataset, batch_size: int, **options):
        super().__init__(dataset, batch_size, **options)
        self._tensors = {name: value.to(self.device) for name, value in resident(dataset).tensors.items()}
        # on the CPU, so that no batch waits for the device to say how long it is
        self._lengths = {name: self._tensors[length_name(name)].cpu() for name in self.schema.ragged}
        self._raw = []
        for name in self._images:
            if self._tensors[name].nbytes * 4 <= _NORMALIZED_LIMIT:
                self._tensors[name] = self._normalize(self._tensors[name])
            else:
                self._raw.append(name)

    def iter_from(self, position: int) -> Iterator[Batch]:
        epoch, start = divmod(position, self.order.batches)
        while True:
            random = self._random(epoch)
            rows = self.order.epoch(epoch)[start:]
            for here, index in zip(rows, to_device(rows, self.device).unbind(), strict=True):
                yield self._augmented(self._take(here, index), random)
            epoch, start = epoch + 1, 0

    def __iter__(self) -> Iterator[Batch]:
        for index in self.order.ordered():
            yield self._take(index, to_device(index, self.device))

    def _take(self, rows: Tensor, index: Tensor) -> Batch:
        """The samples `index`, which are `rows` on the CPU."""
        tensors = self._tensors
        if self._lengths:
            tensors = tensors | {name: tensors[name][:, : int(n[rows].max())] for name, n in self._lengths.items()}
        batch = {name: value.index_select(0, index) for name, value in tensors.items()}
        for name in self._raw:
            batch[name] = self._normalize(batch[name])
        batch["index"] = index
        return batch


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Without waiting for the device: from pinned memory if it is a GPU."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


class ZipLoader:
    """Several loaders as one: `ZipLoader(a=photos, b=paintings)` gives batches with `a_image`, `b_image`, ….

    Each goes through its own epochs, so their lengths may differ. Sets of equal length under equal seeds keep
    step: sample i of one always comes with sample i of the other, which makes pairs of paired data.
    """

    def __init__(self, **loaders: Loader):
        self.loaders = loaders
        self.batch_size = max(loader.batch_size for loader in loaders.values())

    @property
    def batches(self) -> int:
        """Batches of the longest."""
        return max(loader.batches for loader in self.loaders.values())

    def iter_from(self, position: int) -> Iterator[Batch]:
        """Endless training batches, as of every single loader."""
        streams = [loader.iter_from(position) for loader in self.loaders.values()]
        return (self._joined(batches) for batches in zip(*streams, strict=True))

    def __iter__(self) -> Iterator[Batch]:
        """One ordered pass over the longest, while shorter ones start again."""
        length = max(loader.order.passes for loader in self.loaders.values())
        streams = [_again(loader, length) for loader in self.loaders.values()]
        return (self._joined(batches) for batches in zip(*streams, strict=True))

    def _joined(self, batches: tuple[Batch, ...]) -> Batch:
        named = zip(self.loaders, batches, strict=True)
        return {f"{prefix}_{name}": value for prefix, batch in named for name, value in batch.items()}


def _again(loader: Loader, length: int) -> Iterator[Batch]:
    """`length` batches of ordered passes, one after the other."""
    while length > 0:
        for batch in loader:
            if length > 0:
                yield batch
            length -= 1
