"""Sensor fusion: from a configuration to an experiment."""

import dataclasses

import torch

from torchworks.hybrid_multimodal.lead.baselines import baselines
from torchworks.hybrid_multimodal.lead.config import LeadConfig
from torchworks.hybrid_multimodal.lead.nets import Net, new_net
from torchworks.hybrid_multimodal.lead.predictor import BUILDER
from torchworks.hybrid_multimodal.lead.task import Leading
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory, Source, TensorDataset, held_out, open_source, resident
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

KEPT = 200
"""Test scenes kept with a model."""


def build(config: LeadConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without a camera, a range sensor and distances."""
    source = open_source(config.data, config.loader, config.seed)
    check_sensors(source)
    if config.name_digits:
        source.need("digits", "columns")
    rest, held = held_out(resident(source.train), config.valid_fraction, config.seed)
    _, height, width = source.schema["image"].shape
    beams = source.schema["beams"].shape[0]
    net = new_net(dataclasses.asdict(config.net), size=(height, width), beams=beams)
    task = new_task(config, net)
    loaders = LoaderFactory(config, device)
    return Experiment(
        task=task,
        train=loaders.training(rest),
        select=loaders.ordered(held or rest),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(_model(config, net, source),),
        baselines=lambda: baselines(rest, source.test),
    )


def new_task(config: LeadConfig, net: Net) -> Leading:
    return Leading(
        net,
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        sensors=config.sensors,
        failures=config.failures if config.sensors == "both" else 0.0,
        error_weight=config.error_weight,
        name_digits=config.name_digits,
    )


def check_sensors(source: Source) -> None:
    """Raise `UserError` unless the data have an image in color, a line of beams and a distance."""
    image, beams, _ = source.need("image", "beams", "distance")
    if image.shape[0] != 3 or len(beams.shape) != 1:
        raise UserError(
            f"'{source.name}' has images {image.shape} and beams {beams.shape}, but this recipe needs images in color "
            "and one line of beams, as `lead` has them."
        )


def _model(config: LeadConfig, net: Net, source: Source) -> TrainedModel:
    held = resident(source.test).tensors
    rows = {name: held[name][:KEPT] for name in ("image", "beams", "distance")}
    of = {name: config.sensors in ("both", name) for name in ("camera", "range")}
    rows |= {name: torch.full((len(rows["image"]),), int(on)) for name, on in of.items()}
    size = source.schema["image"].shape[1:]
    return TrainedModel(
        builder=BUILDER,
        config={"net": dataclasses.asdict(config.net), "size": list(size), "beams": source.schema["beams"].shape[0]},
        net=net,
        test=TensorDataset(rows),
        inputs={"camera": "image", "range": "beams", "use_camera": "camera", "use_range": "range"},
        targets={"distance": "distance"},
        preprocessing={"camera": {"size": list(size), "mode": "RGB", "range": [0, 255]}},
    )
