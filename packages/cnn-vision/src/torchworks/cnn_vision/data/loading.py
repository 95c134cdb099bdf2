"""The loaders of an experiment: one that trains, and one for each part that is scored."""

from collections.abc import Sequence

from torchworks.shared.config import Config
from torchworks.shared.data import Augment, Dataset, Loader, LoaderFactory
from torchworks.shared.machine.device import Device


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
    loaders = LoaderFactory(config, device, mean=mean, std=std)
    return [loaders.training(train, augment=augment), *map(loaders.ordered, scored)]
