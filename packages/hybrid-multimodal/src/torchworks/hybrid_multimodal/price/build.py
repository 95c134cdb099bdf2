"""Picture and table: from a configuration to an experiment."""

import dataclasses

from torchworks.hybrid_multimodal.data.price_columns import IMAGE, TARGET, columns_of
from torchworks.hybrid_multimodal.models.table_and_image import TableAndImage
from torchworks.hybrid_multimodal.price.baselines import baselines
from torchworks.hybrid_multimodal.price.config import PriceConfig
from torchworks.hybrid_multimodal.price.nets import new_net
from torchworks.hybrid_multimodal.price.predictor import BUILDER
from torchworks.hybrid_multimodal.price.scaling import Scaling
from torchworks.hybrid_multimodal.price.task import Pricing
from torchworks.shared.data import LoaderFactory, Source, TensorDataset, held_out, open_source, resident
from torchworks.shared.data.augment import shift
from torchworks.shared.data.mixed_columns import MixedColumns
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

KEPT = 200
"""Test rows kept with a model."""


def build(config: PriceConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without a picture, columns and a target."""
    source = open_source(config.data, config.loader, config.seed)
    columns = columns_of(source.schema, source.name)
    rest, held = held_out(resident(source.train), config.valid_fraction, config.seed)
    scaling = Scaling.of(resident(rest).tensors, columns, config.scale)
    channels, size, _ = source.schema[IMAGE].shape
    net = new_net(dataclasses.asdict(config.net), scaling, columns, image_size=size, channels=channels)
    task = new_task(config, net, columns, scaling)
    loaders = LoaderFactory(config, device)
    return Experiment(
        task=task,
        train=loaders.training(rest, augment=[shift(config.shift)] if config.shift else []),
        select=loaders.ordered(held or rest),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(_model(config, net, source, columns, scaling),),
        baselines=lambda: baselines(rest, source.test, columns, scaling),
    )


def new_task(config: PriceConfig, net: TableAndImage, columns: MixedColumns, scaling: Scaling) -> Pricing:
    return Pricing(
        net,
        columns,
        scaling,
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        failures=config.failures if config.read == "both" else 0.0,
        error_weight=config.error_weight,
        read=config.read,
    )


def _model(
    config: PriceConfig, net: TableAndImage, source: Source, columns: MixedColumns, scaling: Scaling
) -> TrainedModel:
    held = resident(source.test).tensors
    names = (IMAGE, *columns.names)
    channels, size, _ = source.schema[IMAGE].shape
    return TrainedModel(
        builder=BUILDER,
        config={
            "net": dataclasses.asdict(config.net), "numbers": list(columns.numbers),
            "categories": {name: list(values) for name, values in columns.categories.items()},
            "scaling": scaling.to_dict(), "image_size": size, "channels": channels,
        },
        net=net,
        test=TensorDataset({name: held[name][:KEPT] for name in (*names, TARGET)}),
        inputs={name: name for name in names},
        targets={"answer": TARGET},
    )  # fmt: skip
