"""Loaders of data with boxes and masks: training batches, augmented or not, and batches to score."""

from collections.abc import Callable, Sequence

from torchworks.cnn_vision.data.augment import Augmented
from torchworks.shared.config import Config
from torchworks.shared.data import Dataset, Loader, open_loader
from torchworks.shared.machine.device import Device

EVALUATION_BATCH = 32


def training_loader(
    config: Config,
    device: Device,
    train: Dataset,
    mean: Sequence[float],
    std: Sequence[float],
    transform: Callable[[dict], dict] | None = None,
) -> Loader | Augmented:
    """Batches of training images, changed by `transform` if there is one."""
    common = {"seed": config.seed, "device": device.device, "mean": mean, "std": std}
    place = {"rank": device.rank, "world": device.world}
    loader = open_loader(train, config.loader, config.trainer.batch_size, **common, **place)
    return loader if transform is None else Augmented(loader, transform, mean=mean, std=std)


def scoring_loader(
    config: Config, device: Device, dataset: Dataset, mean: Sequence[float], std: Sequence[float]
) -> Loader:
    """All images in order, not augmented."""
    common = {"seed": config.seed, "device": device.device, "mean": mean, "std": std}
    return open_loader(dataset, config.loader, EVALUATION_BATCH, train=False, **common)
