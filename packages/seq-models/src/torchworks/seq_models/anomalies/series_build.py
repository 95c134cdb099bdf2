"""From a configuration to an experiment of finding anomalous steps: data, net, task, baselines, and the model to save.

The training part is in order: its end is held out. Whatever is scored has all that came before it as its past.

Shape letters: M windows, L steps of a window, T steps, C channels.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.seq_models.anomalies.config import AnomalySeriesConfig
from torchworks.seq_models.anomalies.metrics import alarms, threshold_of
from torchworks.seq_models.anomalies.nets import series_net
from torchworks.seq_models.anomalies.scaling import Scaling
from torchworks.seq_models.anomalies.series_baselines import baselines
from torchworks.seq_models.anomalies.series_predictor import BUILDER, build_anomaly_series
from torchworks.seq_models.anomalies.task import FindingInSeries, smoothed
from torchworks.seq_models.inference.states import example_states
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory, Source, TensorDataset, open_source, resident
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

MOST_WINDOWS = 20_000
KEPT, KEPT_STEPS = 8, 300
"""Test windows kept with a model, and their steps."""
UNLABELLED = "No label says which steps of the training part are anomalies: all count as ordinary."


@dataclass(frozen=True)
class Timeline:
    """A whole series (T, C) and what is known of its steps (T,), −1 for nothing: the first `valid` steps are for
    training, those up to `test` for validation, the others for testing."""

    series: Tensor
    anomaly: Tensor
    valid: int
    test: int

    @classmethod
    def of(cls, source: Source, valid_fraction: float) -> "Timeline":
        parts = [resident(part) for part in (source.train, source.test)]
        series = torch.cat([part.tensors["series"][0] for part in parts])
        labels = [part.tensors.get("anomaly", torch.full(part.tensors["series"].shape[:2], -1))[0] for part in parts]
        test = len(parts[0].tensors["series"][0])
        return cls(series, torch.cat(labels), round(test * (1 - valid_fraction)), test)

    def scored(self, begin: int, end: int) -> TensorDataset:
        """All steps before `end`, of which those from `begin` on count."""
        counted = (torch.arange(end) >= begin).long()
        return TensorDataset({"series": self.series[None, :end], "anomaly": self.anomaly[None, :end],
                              "scored": counted[None]})  # fmt: skip

    def windows(self, length: int) -> TensorDataset:
        """Training windows (M, L, C), and which of their steps are learned: not those labelled as anomalies."""
        length = min(length, self.valid)
        stride = max(1, (self.valid - length) // MOST_WINDOWS)
        cut = self.series[: self.valid].unfold(0, length, stride).transpose(1, 2)  # (M, L, C)
        learned = (self.anomaly[: self.valid].unfold(0, length, stride) <= 0).float()
        return TensorDataset({"series": cut.contiguous(), "learned": learned})


def build(config: AnomalySeriesConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without a series, or with one that is too short."""
    source = open_source(config.data, config.loader, config.seed)
    (columns,) = source.need("series")
    line = Timeline.of(source, config.valid_fraction)
    train = line.windows(config.length)
    ordinary = line.anomaly[: line.valid] <= 0
    held = line.anomaly[line.valid : line.test] <= 0
    if int(ordinary.sum()) < 50 or not bool(held.any()):
        raise UserError(
            f"{source.name} has {int(ordinary.sum())} ordinary steps to learn from and {int(held.sum())} to set the "
            "threshold by. Use a longer series, or change --valid-fraction."
        )
    scaling = Scaling.of(line.series[: line.valid][ordinary], config.clamp)
    net = series_net(dataclasses.asdict(config.net), columns.shape[1])
    task = FindingInSeries(
        net, scaling, smooth=config.smooth, lr=config.optim.lr, weight_decay=config.weight_decay, noise=config.noise
    )
    loaders = LoaderFactory(config, device)
    model = _model(config, net, source, scaling, line)

    def complete() -> dict[str, Any]:
        surprise = surprise_of(net, scaling, line.series[: line.test])
        score = smoothed(surprise.sum(1)[None], config.smooth)[0, line.valid :][held]
        usual = surprise[line.valid :][held].mean(0)
        return {"threshold": threshold_of(score, config.alarm_rate), "usual": usual.tolist()}

    def compared() -> dict[str, float]:
        label = line.anomaly[line.test :]
        if not bool((label >= 0).all()):
            return {}
        score = smoothed(surprise_of(net, scaling, line.series).sum(1)[None], config.smooth)[0, line.test :]
        return alarms(score, label, complete()["threshold"]) | baselines(
            line.series[: line.test].numpy(), line.series.numpy(), line.anomaly.numpy(), line.test
        )

    model.complete = complete
    note = [] if "anomaly" in source.schema else [UNLABELLED]
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=loaders.ordered(line.scored(line.valid, line.test)),
        test=loaders.ordered(line.scored(line.test, len(line.series))),
        sources=(dataclasses.replace(source, notes=(*source.notes, *note)),),
        models=(model,),
        baselines=compared,
    )


@torch.no_grad()
def surprise_of(net: nn.Module, scaling: Scaling, series: Tensor) -> Tensor:
    """Of a series (T, C) the surprise (T, C), on the CPU."""
    net.eval()
    device = next(net.parameters()).device
    return net(scaling.applied(series[None].to(device))).float().cpu()[0]


def _model(
    config: AnomalySeriesConfig, net: nn.Module, source: Source, scaling: Scaling, line: Timeline
) -> TrainedModel:
    (columns,) = source.need("series")
    tested = line.series[line.test :]
    steps = min(KEPT_STEPS, len(tested))
    rows = torch.stack([tested[i * steps : (i + 1) * steps] for i in range(min(KEPT, len(tested) // steps))])
    made = {
        "columns": list(columns.classes), "mean": scaling.mean.tolist(), "std": scaling.std.tolist(),
        "clamp": config.clamp, "smooth": config.smooth, "net": dataclasses.asdict(config.net), "threshold": 0.0,
        "usual": [0.0] * columns.shape[1],
    }  # fmt: skip
    states = example_states(build_anomaly_series(made).signature, len(rows), config.seed)
    kept = {"series": rows, "length": torch.full((len(rows),), steps)} | states
    return TrainedModel(
        builder=BUILDER,
        config=made,
        net=net,
        test=TensorDataset(kept),
        inputs={name: name for name in kept},
        preprocessing={},
        tolerance=1e-3,  # of hundreds of nats
    )
