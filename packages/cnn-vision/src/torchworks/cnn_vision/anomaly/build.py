"""Builder of the experiment of PatchCore: data, backbone, memory, thresholds, baselines, model."""

from pathlib import Path

import torch

from torchworks.cnn_vision.anomaly.baselines import baselines
from torchworks.cnn_vision.anomaly.config import AnomalyConfig
from torchworks.cnn_vision.anomaly.one_class import open_good
from torchworks.cnn_vision.anomaly.predictor import SMALL_MAPS, Pyramid, stride_of
from torchworks.cnn_vision.anomaly.task import AnomalyDetection, calibrate, fill_memory
from torchworks.cnn_vision.data.loading import open_loaders
from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.cnn_vision.models.patchcore import PatchCore
from torchworks.cnn_vision.models.vgg_features import SMALL, FeatureNet
from torchworks.cnn_vision.style.features import open_features
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Part, Source, open_loader
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

BATCH = 32
"""Images of which patches are computed at once."""


def build(config: AnomalyConfig, device: Device) -> Experiment:
    """The memory is filled here; the trainer scores it."""
    source = open_good(config)
    channels, size = source.schema["image"].shape[:2]
    good, valid = split_good(source, config.valid_fraction)
    backbone = open_backbone(config).to(device.device)
    train, select, test = open_loaders(config, device, good, (source.test, source.test), [], (0.0,), (1.0,))
    common = {"device": device.device, "mean": 0.0, "std": 1.0, "train": False}
    filling, holding = (open_loader(part, config.loader, BATCH, **common) for part in (good, valid))
    name = SMALL if isinstance(backbone, FeatureNet) else config.model
    stride = stride_of(name)
    check_size(size, stride)
    memory = max(1, round(config.coreset * len(good) * (size // stride) ** 2))
    net = PatchCore(backbone, stride, memory, sum(backbone.channels.values()), config.neighbors).to(device.device)
    fill_memory(net, filling, memory, config.projection, config.seed)
    task = AnomalyDetection(net, lambda: calibrate(net, holding, config.false_alarms), config.optim.lr)
    model = TrainedModel(
        builder="cnn-vision-anomaly",
        config={
            "backbone": name, "channels": channels, "image_size": size, "memory": memory,
            "neighbours": config.neighbors,
        },
        net=net,
        golden={"image": torch.stack([source.test[i]["image"] for i in (0, len(source.test) - 1)])},
    )  # fmt: skip
    return Experiment(task, train, select, test, (source,), (model,), lambda: baselines(good, source.test))


def split_good(source: Source, fraction: float) -> tuple[Dataset, Dataset]:
    """The good training images for the memory, and those held out for the threshold. Raises `UserError` for too few."""
    count = len(source.train)
    held = max(1, round(fraction * count))
    if count - held < 1:
        raise UserError(
            f"{source.name} has {count} good training image{'s' * (count != 1)}, of which {held} "
            f"{'is' if held == 1 else 'are'} held out; PatchCore needs at least 2, preferably 50. Add images, or hold "
            "out fewer by a smaller --valid-fraction."
        )
    return Part(source.train, range(count - held)), Part(source.train, range(count - held, count))


def check_size(size: int, stride: int) -> None:
    """Raise `UserError` for images that the backbone's maps do not fit."""
    if size % (4 * stride) or size < 32:
        raise UserError(
            f"--loader.image-size is {size}, but with this backbone it must be a multiple of {4 * stride}, at least 32."
        )


def open_backbone(config: AnomalyConfig) -> FeatureNet | Pyramid:
    """The trained backbone that `--pretrained` names."""
    run = Path(config.pretrained).expanduser()
    if not config.pretrained or run.is_dir():
        return open_features(config.pretrained, SMALL_MAPS, config.loader.root)
    weights = True if config.pretrained == "imagenet" else config.pretrained
    net = create_model(config.model, num_classes=0, pretrained=weights)
    assert isinstance(net, Backbone)
    return Pyramid(net)
