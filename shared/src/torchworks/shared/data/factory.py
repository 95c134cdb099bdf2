"""Loaders as a configuration wants them, on the device of a run and for its share of several processes."""

from typing import Any

from torchworks.shared.config import Config
from torchworks.shared.data.dataset import Dataset
from torchworks.shared.data.loaders import Loader
from torchworks.shared.data.opening import open_loader
from torchworks.shared.machine.device import Device

EVALUATION_BATCH = 256
"""Rows scored at once."""


class LoaderFactory:
    """Opens the loaders of `config` on `device`; `options` (mean, std) go to all of them."""

    def __init__(self, config: Config, device: Device, *, evaluation_batch: int = EVALUATION_BATCH, **options: Any):
        self.config, self.device, self.evaluation_batch, self.options = config, device, evaluation_batch, options

    def training(self, dataset: Dataset, stream: int = 0, **options: Any) -> Loader:
        """Endless shuffled batches; another `stream` is another order."""
        place = {"rank": self.device.rank, "world": self.device.world, "seed": self.config.seed + stream}
        return self._open(dataset, self.config.trainer.batch_size, **place, **options)

    def shuffled(self, dataset: Dataset, stream: int = 0) -> Loader:
        """The rows of `training` in larger batches, all of them in each process: for an evaluation on a sample."""
        return self._open(dataset, self.evaluation_batch, seed=self.config.seed + stream)

    def ordered(self, dataset: Dataset, stream: int = 0) -> Loader:
        """One ordered pass over all rows, not augmented."""
        return self._open(dataset, self.evaluation_batch, seed=self.config.seed, train=False)

    def _open(self, dataset: Dataset, batch_size: int, **options: Any) -> Loader:
        options = {"device": self.device.device, **self.options, **options}
        return open_loader(dataset, self.config.loader, batch_size, **options)
