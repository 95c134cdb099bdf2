"""The loaders of an experiment: one that trains, and one for each part that is scored."""

from collections.abc import Sequence
from typing import Any

from torchworks.shared.config import Config
from torchworks.shared.data import Augment, Dataset, Loader, open_loader
from torchworks.shared.machine.device import Device

EVALUATION_BATCH = 256


def open_loaders(
    config: Config,
    device: Device,
    train: Dataset,
    scored: Sequence[Dataset],
    augment: Sequence[Augment],
    mean: Sequence[float] = (0.5,),
    std: Sequence[float] = (0.5,),
) -> list[Loader]:
    """The loader of the training images, and one for each of those that are scored, in order and not augmented."""

    def loader(dataset: Dataset, batch_size: int, **options: Any) -> Loader:
        common = {"seed": config.seed, "device": device.device, "mean": mean, "std": std}
        return open_loader(dataset, config.loader, batch_size, **common, **options)

    place = {"rank": device.rank, "world": device.world}
    first = loader(train, config.trainer.batch_size, augment=augment, **place)
    return [first, *(loader(dataset, EVALUATION_BATCH, train=False) for dataset in scored)]
