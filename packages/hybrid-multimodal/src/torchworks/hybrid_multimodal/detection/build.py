"""From a configuration to an experiment of detection: data, net, task, baseline, model."""

import dataclasses
from dataclasses import replace
from typing import Any

import torch

from torchworks.hybrid_multimodal.data.parts import parts_of
from torchworks.hybrid_multimodal.detection.config import DetectionConfig
from torchworks.hybrid_multimodal.detection.nets import load_weights, new_net
from torchworks.hybrid_multimodal.detection.predictor import BUILDER
from torchworks.hybrid_multimodal.detection.task import SetDetection
from torchworks.hybrid_multimodal.weights import read_weights
from torchworks.shared.data import Dataset, LoaderFactory, Part, Source, held_out, open_source
from torchworks.shared.data.fields import open_fields
from torchworks.shared.data.learnable import check_learnable, classes_in, unscored
from torchworks.shared.detection.baselines import constant_prediction
from torchworks.shared.inference.predictor import preprocessing
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

FIELDS = ("image", "boxes", "box_label")
EVALUATION_BATCH = 50
HALF = 0.5
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation that published weights expect, of pixels in [0, 1]."""


def build(config: DetectionConfig, device: Device) -> Experiment:
    """A detector of the objects of a source. Raises `UserError` for sources without boxes, and weights that do not
    fit."""
    source = open_boxes(config)
    classes = source.schema["boxes"].classes
    plain = model_config(config, source, classes)
    net = new_net(plain["net"], num_classes=len(classes), channels=plain["channels"])
    notes = load_weights(net, read_weights(config.pretrained), config.pretrained) if config.pretrained else []
    train, valid = held_out(source.train, config.valid_fraction, config.seed)
    check_learnable(train, source.name, "box_label")
    notes += unscored([source.test], "box_label")
    task = SetDetection(
        net, len(classes), lr=config.optim.lr, weight_decay=config.weight_decay, denoising=config.denoising,
        shift=config.shift,
    )  # fmt: skip
    if valid is None or not classes_in(valid, "box_label", stop_at=1):
        valid, task.watch = None, None
    loaders = LoaderFactory(
        config, device, evaluation_batch=EVALUATION_BATCH, mean=tuple(plain["mean"]), std=tuple(plain["std"])
    )
    model = TrainedModel(
        builder=BUILDER,
        config=plain,
        net=net,
        labels=classes,
        # no targets: a model always returns its queries, the truth has a varying number
        test=source.test,
        inputs={"image": "image"},
        preprocessing=preprocessing(plain, fit="letterbox"),
    )
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=loaders.ordered(valid or train),
        test=loaders.ordered(source.test),
        sources=(replace(source, notes=(*source.notes, *notes)),),
        models=(model,),
        baselines=lambda: {
            **scores_of_parts(task, loaders, source.test),
            **constant_prediction(train, source.test, len(classes)),
        },
    )


def open_boxes(config: DetectionConfig) -> Source:
    """The source's images and boxes and, where it says so, which test images show held-out pairs. Raises `UserError`
    for sources without boxes."""
    schema = open_source(config.data, config.loader, config.seed).schema
    names = (*FIELDS, "held") if "held" in schema else FIELDS
    return open_fields(config.data, config.loader, config.seed, names)


@torch.no_grad()
def scores_of_parts(task: SetDetection, loaders: LoaderFactory, test: Dataset) -> dict[str, float]:
    """`map` and `map_50` of each part of the test data that is scored by itself, by the net as it is."""
    task.model.eval()
    found: dict[str, float] = {}
    for part, rows in parts_of(test).items() if "held" in test.schema else ():
        task.scores.reset()
        for batch in loaders.ordered(Part(test, rows)):
            task.evaluate(batch)
        scores = task.scores.compute()
        found |= {f"{part}_{name}": scores[name] for name in ("map", "map_50")}
        task.scores.reset()
    return found


def model_config(config: DetectionConfig, source: Source, classes: tuple[str, ...]) -> dict[str, Any]:
    """What the builder of the predictor needs, as plain data."""
    channels, size, _ = source.schema["image"].shape
    large = config.net.size == "resnet50" and channels == 3
    mean, std = IMAGENET if large else ((HALF,) * channels,) * 2
    return {
        "net": dataclasses.asdict(config.net), "classes": list(classes), "image_size": size, "channels": channels,
        "mean": list(mean), "std": list(std),
    }  # fmt: skip
