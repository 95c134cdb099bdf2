"""Tables: from a configuration to an experiment."""

import dataclasses

from torchworks.seq_models.data.table_columns import columns_of, rows_of
from torchworks.seq_models.tabular.baselines import baselines, verdict
from torchworks.seq_models.tabular.config import TabularConfig
from torchworks.seq_models.tabular.metrics import class_scores, number_scores
from torchworks.seq_models.tabular.predictor import BUILDER, new_net, plain
from torchworks.seq_models.tabular.scaling import Scaling
from torchworks.seq_models.tabular.task import Tabular, answered
from torchworks.shared.data import LoaderFactory, TensorDataset, held_out, open_source, resident
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

KEPT = 200
"""Test rows kept with a model."""


def build(config: TabularConfig, device: Device) -> Experiment:
    """Raises `UserError` for data that are no table."""
    source = open_source(config.data, config.loader, config.seed)
    columns = columns_of(source.schema, source.name)
    rest, held = held_out(resident(source.train), config.valid_fraction, config.seed)
    train, test = rows_of(rest), rows_of(source.test)
    scaling = Scaling.of(train, columns)
    net = new_net(dataclasses.asdict(config.net), columns)
    task = Tabular(
        net, columns, scaling, lr=config.optim.lr, weight_decay=config.weight_decay, noise=config.noise,
        smoothing=config.smoothing, failures=config.failures,
    )  # fmt: skip
    loaders = LoaderFactory(config, device)

    def compared() -> dict[str, float]:
        others = baselines(rows_of(source.train), test, columns, config.seed)
        answer, truth = answered(net, test, columns, scaling), test[columns.answer]
        found = class_scores(answer, truth) if columns.classes else number_scores(answer, truth)
        print(verdict({name: float(value) for name, value in found.items()}, others, columns))
        return others

    kept = TensorDataset({name: value[:KEPT] for name, value in test.items()}, source.schema)
    model = TrainedModel(
        builder=BUILDER,
        config={"net": dataclasses.asdict(config.net), **plain(columns), "scaling": scaling.to_dict()},
        net=net,
        test=kept,
        inputs={name: name for name in columns.names},
        targets={"probability" if columns.classes else "answer": columns.answer},
        labels=columns.classes,
    )
    return Experiment(
        task=task,
        train=loaders.training(resident(rest)),
        select=loaders.ordered(resident(held or rest)),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(model,),
        baselines=compared,
    )
