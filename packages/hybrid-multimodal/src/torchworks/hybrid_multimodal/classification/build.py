"""From a configuration to an experiment of classification: data, net, task, baselines, model."""

import dataclasses
from typing import Any

from torchworks.hybrid_multimodal.classification.baselines import baselines
from torchworks.hybrid_multimodal.classification.config import ClassifierConfig
from torchworks.hybrid_multimodal.classification.nets import load_weights, new_net
from torchworks.hybrid_multimodal.classification.predictor import BUILDER
from torchworks.hybrid_multimodal.classification.task import Classifying
from torchworks.hybrid_multimodal.weights import read_weights
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory, Source, held_out, open_source, resident
from torchworks.shared.data.augment import shift
from torchworks.shared.data.learnable import check_learnable
from torchworks.shared.inference.predictor import preprocessing
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

EVALUATION_BATCH = 200
HALF = 0.5
"""Mean and standard deviation of pixels in [0, 1]: they become -1 to 1."""


def build(config: ClassifierConfig, device: Device) -> Experiment:
    """A classifier of the classes of a source. Raises `UserError` for data without classes, and weights that do not
    fit."""
    source = open_classes(config)
    classes = source.schema["label"].classes
    plain = model_config(config, source, classes)
    net = new_net(
        plain["net"], num_classes=len(classes), image_size=plain["image_size"], channels=plain["channels"]
    )  # fmt: skip
    notes = load_weights(net, read_weights(config.pretrained), config.pretrained) if config.pretrained else []
    train, valid = held_out(resident(source.train), config.valid_fraction, config.seed)
    check_learnable(train, source.name, "label")
    task = Classifying(net, lr=config.optim.lr, weight_decay=config.weight_decay)
    loaders = LoaderFactory(
        config, device, evaluation_batch=EVALUATION_BATCH, mean=tuple(plain["mean"]), std=tuple(plain["std"])
    )
    model = TrainedModel(
        builder=BUILDER,
        config=plain,
        net=net,
        labels=classes,
        test=source.test,
        inputs={"image": "image"},
        targets={"probability": "label"},
        preprocessing=preprocessing(plain),
    )
    return Experiment(
        task=task,
        train=loaders.training(train, augment=[shift(config.shift)] if config.shift else []),
        select=loaders.ordered(valid or train),
        test=loaders.ordered(source.test),
        sources=(dataclasses.replace(source, notes=(*source.notes, *notes)),),
        models=(model,),
        baselines=lambda: baselines(train, source.test),
    )


def model_config(config: ClassifierConfig, source: Source, classes: tuple[str, ...]) -> dict[str, Any]:
    """What the builder of the predictor needs, as plain data."""
    channels, size, _ = source.schema["image"].shape
    return {
        "net": dataclasses.asdict(config.net), "classes": list(classes), "image_size": size, "channels": channels,
        "mean": [HALF] * channels, "std": [HALF] * channels,
    }  # fmt: skip


def open_classes(config: ClassifierConfig) -> Source:
    """The source of images with a class each. Raises `UserError` for others."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("image")
    if "label" not in source.schema or source.schema["label"].shape or len(source.schema["label"].classes) < 2:
        raise UserError(
            f"A classifier needs images with one class each, and at least two classes, which {source.name} has not. "
            "Use colored-digits, digits, or your own images as folder:PATH with a sub-folder for each class."
        )
    return source
