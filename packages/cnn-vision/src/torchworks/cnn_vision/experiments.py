"""From a configuration to an experiment: data, net, task, baseline, and how the finished model is packed."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.cnn_vision import predictor
from torchworks.cnn_vision.baseline import logistic_regression
from torchworks.cnn_vision.classification import Classification
from torchworks.cnn_vision.config import ClassifierConfig, check_numbers
from torchworks.cnn_vision.models import create_model
from torchworks.shared.config import UserError
from torchworks.shared.data import (
    Augment,
    Dataset,
    Loader,
    Part,
    Source,
    affine,
    brightness,
    contrast,
    cutout,
    flip,
    open_loader,
    open_source,
    resident,
    shift,
)
from torchworks.shared.data.split import digests, split
from torchworks.shared.device import Device, choose
from torchworks.shared.experiment import Experiment
from torchworks.shared.predict import save_model

SMALL = 64
"""Images below so many pixels get the stem for small images."""
EVALUATION_BATCH = 256


def classifier_experiment(config: ClassifierConfig) -> Experiment:
    """A net that tells the classes of a source apart."""
    check_numbers(config)
    source = open_source(config.data, config.loader)
    classes = classes_of(source)
    channels, size = source.schema["image"].shape[:2]
    plain = predictor.classifier_config(
        config.model, size, channels, classes, wants_small_images(config), config.drop_rate
    )
    whole = predictor.build_classifier(plain)
    model = whole.net if not config.pretrained else pretrained_model(config, channels, len(classes))
    whole.net = model

    settings = config.trainer
    device = choose(settings.device, settings.precision, settings.channels_last)
    train, valid = held_out(source.train, config.valid_fraction, config.seed)
    task = Classification(
        model,
        len(classes),
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        class_weights=balanced(train, len(classes)) if config.class_weights == "balanced" else None,
    )
    if valid is None:
        task.watch = None

    def package_model(folder: Path) -> None:
        whole.net = task.model
        images = torch.stack([source.test[i]["image"] for i in range(min(2, len(source.test)))])
        save_model(
            folder,
            whole,
            package=config.package,
            recipe=config.recipe,
            builder="cnn-vision-classifier",
            config=plain,
            golden={"image": images},
            preprocessing=predictor.preprocessing(plain),
            labels=classes,
        )

    return Experiment(
        task=task,
        train=_training(config, device, train, size),
        select=_ordered(config, device, train if valid is None else valid),
        test=_ordered(config, device, source.test),
        sources=(source,),
        package_model=package_model,
        baselines=lambda: logistic_regression(source.train, source.test),
    )


def classes_of(source: Source) -> tuple[str, ...]:
    """The class names; raises `UserError` if there are fewer than two."""
    classes = source.schema["label"].classes if "label" in source.schema else ()
    if len(classes) < 2:
        found = f"only the class '{classes[0]}'" if classes else "no labels"
        raise UserError(
            f"A classifier tells at least two classes apart, but {source.name} has {found}. Give each class a "
            "sub-folder of its own, or a CSV table a column of labels."
        )
    return classes


def wants_small_images(config: ClassifierConfig) -> bool:
    if config.small_images == "auto":
        return config.loader.image_size < SMALL
    return config.small_images == "on"


def pretrained_model(config: ClassifierConfig, channels: int, num_classes: int) -> Any:
    options = {} if config.drop_rate is None else {"drop_rate": config.drop_rate}
    return create_model(
        config.model,
        num_classes=num_classes,
        in_channels=channels,
        small_images=wants_small_images(config),
        pretrained=True if config.pretrained == "imagenet" else config.pretrained,
        **options,
    )


def held_out(train: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset | None]:
    """(rest, held out), the same share of every class and equal images on one side; nothing is held out for a
    fraction of 0."""
    if not fraction:
        return train, None
    scans = getattr(train, "scans", ())
    names = [scan.digest for scan in scans] if scans else digests(resident(train).tensors["image"])
    rest, valid = split(names, labels_of(train).tolist(), fraction, seed)
    return Part(train, rest), Part(train, valid)


def labels_of(dataset: Dataset) -> Tensor:
    """int64 (N,), without decoding any image."""
    labels = getattr(dataset, "labels", None)
    if labels is None:
        labels = getattr(dataset, "tensors", {}).get("label")
    return labels if labels is not None else torch.stack([dataset[i]["label"] for i in range(len(dataset))])


def balanced(dataset: Dataset, num_classes: int) -> Tensor:
    """Weights (K,) under which all classes count the same, with a mean of 1 over the samples."""
    counts = torch.bincount(labels_of(dataset), minlength=num_classes).clamp(min=1)
    return len(dataset) / (num_classes * counts)


def augmentations(names: tuple[str, ...], size: int) -> list[Augment]:
    """The named changes, by amounts that suit images of `size` pixels."""
    known = {
        "flip": lambda: flip(),
        "shift": lambda: shift(max(1, size // 8)),
        "affine": lambda: affine(degrees=12, scale=0.1, slant=0.1),
        "cutout": lambda: cutout(max(1, size // 4)),
        "brightness": lambda: brightness(0.4),
        "contrast": lambda: contrast(0.4),
    }
    return [known[name]() for name in names]


def _training(config: ClassifierConfig, device: Device, dataset: Dataset, size: int) -> Loader:
    return open_loader(
        dataset,
        config.loader,
        config.trainer.batch_size,
        seed=config.seed,
        device=device.device,
        rank=device.rank,
        world=device.world,
        augment=augmentations(config.augment, size),
    )


def _ordered(config: ClassifierConfig, device: Device, dataset: Dataset) -> Loader:
    return open_loader(dataset, config.loader, EVALUATION_BATCH, device=device.device, train=False)
