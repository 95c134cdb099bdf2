"""From a configuration to an experiment of detection: data, net, task, baseline, and how the model is packed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torchworks.cnn_vision.data.augment import Augmented, changes
from torchworks.cnn_vision.data.fields import open_fields
from torchworks.cnn_vision.detection.baselines import constant_guess
from torchworks.cnn_vision.detection.config import DetectorConfig, check_config
from torchworks.cnn_vision.detection.predictor import preprocessing, whole
from torchworks.cnn_vision.detection.task import Detection
from torchworks.cnn_vision.models.dense import DETECTORS, PUBLISHED, create_detector, size_of_classifier
from torchworks.cnn_vision.models.normalization import HALF, IMAGENET, each_channel, expected, run_of
from torchworks.shared.data import Dataset, held_out, open_loader
from torchworks.shared.machine.device import Device, choose
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import samples_of, save_model
from torchworks.shared.training.experiment import Experiment

BATCH = 32
"""Images scored at once."""
VGG = (0.48235, 0.45882, 0.40784), (1 / 255,) * 3
"""Mean and standard deviation of torchvision's weights of SSD300, whose pixels are from 0 to 255."""


def detector_experiment(config: DetectorConfig) -> Experiment:
    """Raises `UserError` for data without what the net learns from."""
    check_config(config)
    masks = config.model in DETECTORS["mask_rcnn"]
    source = open_fields(config.data, config.loader, config.seed, fields_of(masks=masks))
    classes = source.schema["boxes"].classes
    mean, std = normalisation(config, source.schema["image"].shape[0])
    plain = {
        "model": config.model,
        "options": options_of(config),
        "image_size": config.loader.image_size,
        "channels": source.schema["image"].shape[0],
        "classes": list(classes),
        "mean": mean,
        "std": std,
    }
    settings = config.trainer
    device = choose(settings.device, settings.precision, settings.channels_last)
    task = Detection(new_net(config, plain), len(classes), lr=config.optim.lr, weight_decay=config.weight_decay)
    train, valid = held_out(source.train, config.valid_fraction, config.seed)
    if valid is None:
        task.watch = None

    def package_model(folder: Path) -> None:
        samples = samples_of(source.test)
        save_model(
            folder,
            whole(task.model, plain),
            package=config.package,
            recipe=config.recipe,
            builder="cnn-vision-detector",
            config=plain,
            golden={"image": samples["image"][:2]},
            preprocessing=preprocessing(plain),
            labels=classes,
            data=(source,),
            samples={"image": samples["image"]},  # no targets: objects are no outputs, of which there are always D
        )

    training, *scored = open_loaders(config, device, (train, valid or train, source.test), mean, std)
    return Experiment(
        task=task,
        train=training,
        select=scored[0],
        test=scored[1],
        sources=(source,),
        package_model=package_model,
        baselines=lambda: constant_guess(train, source.test, len(classes)),
    )


# ----------------------------------------------------------------------------------------------------- data


def fields_of(*, masks: bool) -> tuple[str, ...]:
    """What a detector learns from."""
    return ("image", "boxes", "box_label", *(("instance",) if masks else ()))


def open_loaders(
    config: DetectorConfig, device: Device, parts: Sequence[Dataset], mean: list[float], std: list[float]
) -> list[Any]:
    """The loader of the training images, and one for each of those that are scored, in order and not augmented."""
    common = {"seed": config.seed, "device": device.device, "mean": mean, "std": std}
    train, *scored = parts
    place = {"rank": device.rank, "world": device.world}
    training: Any = open_loader(train, config.loader, config.trainer.batch_size, **common, **place)
    if config.augment:
        channels, size = train.schema["image"].shape[:2]
        zoom, stretch = ((0.7, 1.6), 1.2) if "crop" in config.augment else ((1.0, 1.0), 1.0)
        flip, colour = "flip" in config.augment, "colour" in config.augment
        transform = changes(size, flip=flip, zoom=zoom, stretch=stretch, colour=colour, grey=channels == 1)
        training = Augmented(training, transform, mean=mean, std=std)
    return [training, *(open_loader(part, config.loader, BATCH, train=False, **common) for part in scored)]


# ------------------------------------------------------------------------------------------------------ net


def new_net(config: DetectorConfig, plain: dict[str, Any]) -> Any:
    """The net, with pretrained weights if the configuration names some."""
    return create_detector(
        config.model,
        num_classes=size_of_classifier(config.model, len(plain["classes"])),
        in_channels=plain["channels"],
        pretrained=True if config.pretrained == "coco" else config.pretrained,
        **plain["options"],
    )


def options_of(config: DetectorConfig) -> dict[str, Any]:
    """What the net must be built with for its pretrained weights."""
    if run := run_of(config.pretrained):
        return read_manifest(run).config.get("options", {})
    return dict(PUBLISHED.get(config.model, {})) if config.pretrained == "coco" else {}


def normalisation(config: DetectorConfig, channels: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, of pixels in [0, 1], that the net's inputs are normalised by."""
    if config.normalise == "half":
        return each_channel(*HALF, channels)
    if config.normalise == "imagenet":
        return each_channel(*IMAGENET, channels)
    return expected(config.pretrained, channels, VGG if config.model == "ssd300_vgg16" else IMAGENET)
