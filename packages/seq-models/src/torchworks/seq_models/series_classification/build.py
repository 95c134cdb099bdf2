"""From a configuration to an experiment of classifying series: data, net, task, baselines, and the model to save."""

import dataclasses

from torch import nn

from torchworks.seq_models.series_classification.baselines import baselines
from torchworks.seq_models.series_classification.config import SeriesClassifierConfig
from torchworks.seq_models.series_classification.nets import new_net
from torchworks.seq_models.series_classification.predictor import BUILDER
from torchworks.seq_models.series_classification.scaling import Scaling
from torchworks.seq_models.series_classification.task import SeriesClassification
from torchworks.shared.config import UserError
from torchworks.shared.data import BucketOrder, LoaderFactory, Source, TensorDataset, held_out, open_source, resident
from torchworks.shared.data.learnable import check_learnable
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

POOL = 4
"""Batches among which series of about the same length are sought: training parts are small."""


def build(config: SeriesClassifierConfig, device: Device) -> Experiment:
    """A classifier of the classes of a source. Raises `UserError` for data without series or classes."""
    _check_batch(config)
    source = open_source(config.data, config.loader, config.seed)
    series, label = source.need("series", "label")
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    check_learnable(rest, source.name, "label")
    train, test = resident(rest), resident(source.test)
    scaling = Scaling.of(train)
    net = new_net(dataclasses.asdict(config.net), series.shape[1], len(label.classes))
    task = SeriesClassification(
        net, scaling, lr=config.optim.lr, weight_decay=config.weight_decay, noise=config.noise, longest=series.shape[0]
    )
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    loaders = LoaderFactory(config, device)
    place = (config.trainer.batch_size, config.seed, device.rank, device.world)
    order = BucketOrder(len(train), *place, lengths=train.tensors["series_length"], pool=POOL)
    return Experiment(
        task=task,
        train=loaders.training(train, order=order),
        select=loaders.ordered(held or train),
        test=loaders.ordered(test),
        sources=(source,),
        models=(_model(config, net, source, scaling, test),),
        baselines=lambda: baselines(resident(source.train), test),
    )


def _check_batch(config: SeriesClassifierConfig) -> None:
    """Raise `UserError` for batches of one series, which batch normalization cannot compare with another."""
    if config.trainer.batch_size < 2 * config.trainer.accumulate:
        raise UserError(
            f"A batch of {config.trainer.batch_size} in {config.trainer.accumulate} parts has fewer than two series in "
            "each. Choose a larger --trainer.batch-size."
        )


def _model(
    config: SeriesClassifierConfig, net: nn.Module, source: Source, scaling: Scaling, test: TensorDataset
) -> TrainedModel:
    series, label = source.need("series", "label")
    return TrainedModel(
        builder=BUILDER,
        config={
            "classes": list(label.classes), "channels": list(series.classes), "mean": scaling.mean.tolist(),
            "std": scaling.std.tolist(), "net": dataclasses.asdict(config.net),
        },
        net=net,
        labels=label.classes,
        test=TensorDataset(
            {"series": test.tensors["series"], "length": test.tensors["series_length"], "label": test.tensors["label"]}
        ),
        inputs={"series": "series", "length": "length"},
        targets={"probability": "label"},
        preprocessing={},
    )  # fmt: skip
