"""From a configuration to an experiment of detection: data, net, task, baseline, and how the model is packed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from torchworks.cnn_vision.detection.baseline import constant_guess
from torchworks.cnn_vision.detection.config import DetectorConfig, check_config
from torchworks.cnn_vision.detection.predictor import preprocessing, whole
from torchworks.cnn_vision.detection.task import Detection
from torchworks.cnn_vision.experiments import IMAGENET, run_of
from torchworks.cnn_vision.models.dense import DETECTORS, PUBLISHED, create_detector, size_of_classifier
from torchworks.cnn_vision.scenes.augment import Augmented, changes
from torchworks.cnn_vision.subset import digests_of
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Part, Schema, Source, TensorDataset, open_loader, open_source, resident
from torchworks.shared.data.split import split
from torchworks.shared.device import Device, choose
from torchworks.shared.experiment import Experiment
from torchworks.shared.manifest import read_manifest
from torchworks.shared.predict import samples_of, save_model

BATCH = 32
"""Images scored at once."""
VGG_MEAN, VGG_STD = (0.48235, 0.45882, 0.40784), (1 / 255,) * 3
"""Of torchvision's weights of SSD300, in shares of 255."""


def detector_experiment(config: DetectorConfig) -> Experiment:
    """Raises `UserError` for data without what the net learns from."""
    check_config(config)
    source = open_source(config.data, config.loader, config.seed)
    masks = config.model in DETECTORS["mask_rcnn"]
    classes = classes_of(source, masks=masks)
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
    train, valid = held_out(Fields(source.train), config.valid_fraction, config.seed)
    if valid is None:
        task.watch = None
    test = Fields(source.test)

    def package_model(folder: Path) -> None:
        samples = samples_of(test)
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

    training, *scored = open_loaders(config, device, (train, train if valid is None else valid, test), mean, std)
    return Experiment(
        task=task,
        train=training,
        select=scored[0],
        test=scored[1],
        sources=(source,),
        package_model=package_model,
        baselines=lambda: constant_guess(train, test, len(classes)),
    )


# ----------------------------------------------------------------------------------------------------- data


class Fields:
    """The samples of a data set with what detectors use of them alone: the rest would be augmented in vain."""

    USED = ("image", "boxes", "box_label", "instance")

    def __init__(self, dataset: Dataset):
        self.dataset = dataset
        self.schema = Schema(tuple(item for item in dataset.schema.fields if item.name in self.USED))
        self.scans = getattr(dataset, "scans", ())

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        sample = self.dataset[i]
        return {item.name: sample[item.name] for item in self.schema.fields}


def classes_of(source: Source, *, masks: bool) -> tuple[str, ...]:
    """The names of the things; raises `UserError` if there are no boxes, or, where they are wanted, no masks."""
    if "boxes" not in source.schema:
        raise UserError(
            f"A detector learns from boxes, but {source.name} has none. Use scenes, or your own data as coco:PATH, "
            "voc:PATH or yolo:PATH."
        )
    if masks and "instance" not in source.schema:
        raise UserError(
            f"Mask R-CNN learns from the outlines of objects, but not all objects of {source.name} have one. Add them "
            "to the data, or train boxes alone with the recipe detect."
        )
    return source.schema["boxes"].classes


def held_out(train: Fields, fraction: float, seed: int) -> tuple[Dataset, Dataset | None]:
    """(rest, held out), with equal images on one side; nothing is held out for a fraction of 0. Generated images are
    drawn here, once."""
    whole: Dataset = train if train.scans else resident(train)
    if not fraction:
        return whole, None
    rest, valid = split(digests_of(whole), [0] * len(whole), fraction, seed)
    if isinstance(whole, TensorDataset):
        return whole.subset(rest), whole.subset(valid)
    return Part(whole, rest), Part(whole, valid)


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
    mean, std = ([0.5] * channels, [0.5] * channels)
    if config.normalise == "half":
        return mean, std
    if config.normalise == "imagenet":
        mean, std = IMAGENET
    elif run := run_of(config.pretrained):
        trained = read_manifest(run).config
        mean, std = trained["mean"], trained["std"]
    elif config.pretrained:
        mean, std = (VGG_MEAN, VGG_STD) if config.model == "ssd300_vgg16" else IMAGENET
    if len(mean) != channels:  # the kernels were summed over, or repeated over the channels
        mean, std = [sum(mean) / len(mean)] * channels, [sum(std) / len(std)] * channels
    return list(mean), list(std)
