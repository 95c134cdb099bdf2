"""From a configuration to an experiment: data, net, task, baseline, and how the finished model is packed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.cnn_vision.classification import predictor
from torchworks.cnn_vision.classification.baselines import logistic_regression
from torchworks.cnn_vision.classification.task import Classification
from torchworks.cnn_vision.config import POSITIVE, ClassifierConfig, VisionConfig, check_numbers, check_ranges
from torchworks.cnn_vision.data.subset import with_classes, with_shots
from torchworks.cnn_vision.finetuning.schedule import Finetuning
from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.cnn_vision.models.normalization import HALF, IMAGENET, each_channel, expected
from torchworks.shared.config import Config, UserError
from torchworks.shared.data import (
    Augment,
    Dataset,
    Loader,
    Source,
    affine,
    alternating_flip,
    brightness,
    contrast,
    cutout,
    flip,
    held_out,
    labels_of,
    open_loader,
    open_source,
    random_augment,
    shift,
)
from torchworks.shared.data.report import UNEVEN
from torchworks.shared.machine.device import Device, choose
from torchworks.shared.training.experiment import Experiment

SMALL = 64
"""Images below so many pixels get the stem for small images."""
EVALUATION_BATCH = 256


def classifier_experiment(
    config: ClassifierConfig, net: Backbone | None = None, device: Device | None = None
) -> Experiment:
    """A net that tells the classes of a source apart; `net` is a pretrained one to use instead of a new one, `device`
    where to train if not where the configuration says."""
    check_numbers(config)
    check_ranges(config, shots=POSITIVE)
    source = open_classes(config)
    classes = classes_of(source)
    channels, size = source.schema["image"].shape[:2]
    model = new_model(config, channels, len(classes)) if net is None else net
    mean, std = normalisation(config, model, channels)
    plain = predictor.classifier_config(
        config.model, size, channels, classes, wants_small_images(config), config.drop_rate, mean, std
    )

    settings = config.trainer
    device = device or choose(settings.device, settings.precision, settings.channels_last)
    train, valid = held_out(source.train, config.valid_fraction, config.seed)
    task = Classification(
        model,
        len(classes),
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        class_weights=balanced(train, len(classes)) if config.class_weights == "balanced" else None,
        mixing=config.mixing,
        finetuning=finetuning(config, model, device),
    )
    if valid is None:
        task.watch = None

    def package_model(folder: Path) -> None:
        whole = predictor.build_classifier(plain)
        whole.net = task.model
        predictor.save(folder, whole, builder="cnn-vision-classifier", plain=plain, config=config, source=source)

    changes = augmentations(config.augment, size, mean, std)
    select = train if valid is None else valid
    training, selection, test = open_loaders(config, device, train, (select, source.test), changes, mean, std)
    return Experiment(
        task=task,
        train=training,
        select=selection,
        test=test,
        sources=(replace(source, notes=(*source.notes, *imbalance(train, classes, config.class_weights))),),
        package_model=package_model,
        baselines=lambda: logistic_regression(source.train, source.test),
    )


def open_classes(config: ClassifierConfig) -> Source:
    """The source, with the classes and the training images that the configuration asks for."""
    source = open_source(config.data, config.loader)
    if config.classes:
        classes_of(source)  # with_classes can only choose among single labels
        source = with_classes(source, config.classes)
    return with_shots(source, config.shots, config.seed) if config.shots else source


def classes_of(source: Source) -> tuple[str, ...]:
    """The class names; raises `UserError` if there are fewer than two, or an image may have several."""
    source.need("image")
    if "label" in source.schema and source.schema["label"].shape:
        raise UserError(
            f"A classifier gives each image one class, but those of {source.name} may have several or none. Train the "
            "recipe medical, which tells of each whether it is there."
        )
    classes = source.schema["label"].classes if "label" in source.schema else ()
    if len(classes) < 2:
        found = f"only the class '{classes[0]}'" if classes else "no labels"
        raise UserError(
            f"A classifier tells at least two classes apart, but {source.name} has {found}. Give each class a "
            "sub-folder of its own, or a CSV table a column of labels."
        )
    return classes


def wants_small_images(config: VisionConfig) -> bool:
    if config.small_images == "auto":
        return config.loader.image_size < SMALL
    return config.small_images == "on"


def new_model(config: VisionConfig, channels: int, num_classes: int) -> Backbone:
    """The net, with pretrained weights if the configuration names some."""
    options = {} if config.drop_rate is None else {"drop_rate": config.drop_rate}
    return create_model(
        config.model,
        num_classes=num_classes,
        in_channels=channels,
        small_images=wants_small_images(config),
        pretrained=True if config.pretrained == "imagenet" else config.pretrained,
        **options,
    )


def normalisation(config: VisionConfig, net: Backbone, channels: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, of pixels in [0, 1], that the net's inputs are normalised by."""
    if config.normalise == "half":
        return each_channel(*HALF, channels)
    if config.normalise == "imagenet":
        return each_channel(*IMAGENET, channels)
    timm = getattr(getattr(net, "model", None), "pretrained_cfg", {})
    return expected(config.pretrained, channels, (timm.get("mean", IMAGENET[0]), timm.get("std", IMAGENET[1])))


def finetuning(config: VisionConfig, net: Backbone, device: Device) -> Finetuning | None:
    """None if all layers learn alike from the start."""
    if config.freeze == "none" and config.rate_decay == 1:
        return None
    if config.freeze == "gradual" and device.world > 1:
        raise UserError(
            "--freeze gradual works in one process: with several, gradients of all layers are exchanged from the start."
            " Use --freeze backbone, or --rate-decay, with torchrun."
        )
    return Finetuning(net, config.freeze, config.rate_decay, config.trainer.steps)


def balanced(dataset: Dataset, num_classes: int) -> Tensor:
    """Weights (K,) under which all classes count the same, with a mean of 1 over the samples."""
    counts = torch.bincount(labels_of(dataset), minlength=num_classes).clamp(min=1)
    return len(dataset) / (num_classes * counts)


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


def imbalance(dataset: Dataset, classes: tuple[str, ...], class_weights: str) -> list[str]:
    """A sentence about classes that are far rarer than others, unless weights make up for it."""
    counts = torch.bincount(labels_of(dataset), minlength=len(classes))
    least, most = int(counts.argmin()), int(counts.argmax())
    if class_weights == "balanced" or counts[most] <= UNEVEN * counts[least]:
        return []
    return [
        f"The class '{classes[most]}' has {counts[most]} training images and '{classes[least]}' has {counts[least]}: a "
        "net learns to leave out what is so rare. --class-weights balanced lets all classes count alike; look at the "
        "balanced accuracy rather than the accuracy."
    ]


def augmentations(
    names: tuple[str, ...], size: int, mean: Sequence[float] = (0.5,), std: Sequence[float] = (0.5,)
) -> list[Augment]:
    """The named changes, by amounts that suit images of `size` pixels that were normalised by `mean` and `std`."""
    known = {
        "flip": lambda: flip(),
        "alternating-flip": lambda: alternating_flip(),
        "shift": lambda: shift(max(1, size // 8)),
        "affine": lambda: affine(degrees=12, scale=0.1, slant=0.1),
        "randaugment": lambda: random_augment(magnitude=9, layers=2, mean=mean, std=std),
        "cutout": lambda: cutout(max(1, size // 4)),
        "brightness": lambda: brightness(0.4),
        "contrast": lambda: contrast(0.4),
    }
    return [known[name]() for name in names]
