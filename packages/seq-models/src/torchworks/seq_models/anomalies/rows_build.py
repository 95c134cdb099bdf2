"""From a configuration to an experiment of finding anomalous rows: data, net, task, baselines, and the model to save.

Shape letters: N rows, D columns.
"""

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.seq_models.anomalies.baselines import baselines, kept_rows
from torchworks.seq_models.anomalies.config import FraudConfig
from torchworks.seq_models.anomalies.metrics import alarms, threshold_of
from torchworks.seq_models.anomalies.nets import rows_net
from torchworks.seq_models.anomalies.rows_predictor import BUILDER
from torchworks.seq_models.anomalies.scaling import Scaling
from torchworks.seq_models.anomalies.task import FindingAnomalies
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory, Source, TensorDataset, held_out, open_source, resident
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

FEWEST = 50
"""Rows that are learned from."""
AT_ONCE = 4096
UNFILTERED = (
    "No label says which training rows are ordinary and --drop is 0, so that anomalies among them are learned as "
    "ordinary. Where 7 % were anomalies, scores fell below those of an isolation forest. Use "
    "--drop with a share above theirs."
)


def build(config: FraudConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without columns of numbers, or with too few ordinary rows."""
    source = open_source(config.data, config.loader, config.seed)
    (columns,) = source.need("features")
    whole, test = resident(source.train), resident(source.test)
    rest, held = held_out(whole, config.valid_fraction, config.seed)
    if held is None:
        raise UserError(f"None of the {len(whole)} training rows can be held out. Choose a larger --valid-fraction.")
    train, valid, note = learned(resident(rest), resident(held), config)
    scaling = Scaling.of(train.tensors["features"], config.clamp)
    net = rows_net(dataclasses.asdict(config.net), columns.shape[0])
    task = FindingAnomalies(net, scaling, lr=config.optim.lr, weight_decay=config.weight_decay, noise=config.noise)
    loaders = LoaderFactory(config, device)
    model = _model(config, net, source, scaling, test)

    def complete() -> dict[str, Any]:
        surprise = surprise_of(net, scaling, valid.tensors["features"])
        return {"threshold": threshold_of(surprise.sum(1), config.alarm_rate), "usual": surprise.mean(0).tolist()}

    def compared() -> dict[str, float]:
        features, truth = test.tensors["features"], test.tensors.get("label")
        if truth is None:
            return {}
        score = surprise_of(net, scaling, features).sum(1)
        found = alarms(score, truth, complete()["threshold"])
        labels = whole.tensors.get("label")
        given = train if uses_labels(config, whole) else whole
        return found | baselines(
            given.tensors["features"], features, truth, None if labels is None else (whole.tensors["features"], labels)
        )

    model.complete = complete
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=loaders.ordered(valid),
        test=loaders.ordered(test),
        sources=(dataclasses.replace(source, notes=(*source.notes, *[note] * bool(note))),),
        models=(model,),
        baselines=compared,
    )


def uses_labels(config: FraudConfig, part: TensorDataset) -> bool:
    """Whether labels choose the rows that are learned. Raises `UserError` if they should and there are none."""
    if config.learn == "ordinary" and "label" not in part.tensors:
        raise UserError(
            "--learn ordinary needs a column anomaly, which says by 0 which rows are ordinary; the data have none. Use "
            "--learn all, which leaves out what an isolation forest finds strangest."
        )
    return config.learn != "all" and "label" in part.tensors


def learned(
    train: TensorDataset, valid: TensorDataset, config: FraudConfig
) -> tuple[TensorDataset, TensorDataset, str]:
    """The rows of both parts that count as ordinary, and what is to be said of it."""
    note = ""
    if uses_labels(config, train):
        kept = [part.tensors["label"] == 0 for part in (train, valid)]
    elif config.drop:
        kept = list(kept_rows(train.tensors["features"], valid.tensors["features"], config.drop))
        note = (f"No label is used: the {config.drop:.0%} of training rows that an isolation forest finds strangest "
                "are left out, and the others count as ordinary.")  # fmt: skip
    else:
        kept, note = [torch.ones(len(part), dtype=torch.bool) for part in (train, valid)], UNFILTERED
    train, valid = (part.subset(rows.nonzero().flatten()) for part, rows in zip((train, valid), kept, strict=True))
    if len(train) < FEWEST or not len(valid):
        raise UserError(
            f"There are {len(train)} ordinary rows to learn from and {len(valid)} to set the threshold by; {FEWEST} "
            "and 1 are the fewest. Bring more, or change --valid-fraction."
        )
    return train, valid, note


@torch.no_grad()
def surprise_of(net: nn.Module, scaling: Scaling, features: Tensor) -> Tensor:
    """Of rows (N, D) the surprise (N, D), on the CPU."""
    net.eval()
    device = next(net.parameters()).device
    parts = [net(scaling.applied(rows.to(device))).float().cpu() for rows in features.split(AT_ONCE)]
    return torch.cat(parts)


def _model(config: FraudConfig, net: nn.Module, source: Source, scaling: Scaling, test: TensorDataset) -> TrainedModel:
    (columns,) = source.need("features")
    return TrainedModel(
        builder=BUILDER,
        config={
            "columns": list(columns.classes), "mean": scaling.mean.tolist(), "std": scaling.std.tolist(),
            "clamp": config.clamp, "net": dataclasses.asdict(config.net), "threshold": 0.0,
            "usual": [0.0] * columns.shape[0],
        },
        net=net,
        test=TensorDataset({"features": test.tensors["features"]}),
        inputs={"features": "features"},
        preprocessing={},
        tolerance=1e-3,  # of hundreds of nats
    )  # fmt: skip
