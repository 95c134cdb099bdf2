"""Forecasting: from a configuration to an experiment."""

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from torchworks.seq_models.data.series_panel import Panel, joined, panels_of
from torchworks.seq_models.forecasting.baselines import baselines
from torchworks.seq_models.forecasting.config import ForecastConfig
from torchworks.seq_models.forecasting.metrics import Scales, scales_of
from torchworks.seq_models.forecasting.nets import Forecaster
from torchworks.seq_models.forecasting.predictor import BUILDER, calendar_preprocessing
from torchworks.seq_models.forecasting.ridge import Ridge, fitted
from torchworks.seq_models.forecasting.scaling import Scaling
from torchworks.seq_models.forecasting.task import Forecasting
from torchworks.seq_models.forecasting.windows import Cells, WindowLoader, WindowSet
from torchworks.shared.config import UserError
from torchworks.shared.data import Source, TensorDataset, open_source
from torchworks.shared.data.calendar_columns import CALENDAR
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

EVALUATION_BATCH = 4096
"""Forecasts that are made at once."""
MOST_SELECTED = 4000
"""Held-out windows, evenly spread, by which the best state is selected."""
KEPT = 64
"""Test windows kept with a model."""
WIDE = 10.0
"""How many times the smallest value the largest is where logarithms are taken."""


@dataclass(frozen=True)
class Parts:
    """All windows of a source: for training, for selection, for testing."""

    panel: Panel
    """All time steps."""
    trained: int
    """Steps that are for training."""
    tested: int
    """The first step of the test part."""
    cells: Cells
    train: WindowSet
    valid: WindowSet
    test: WindowSet
    scaling: Scaling
    scales: Scales

    @cached_property
    def ridge(self) -> Ridge:
        return fitted(self.train, self.valid, self.scaling)

    def baselines(self) -> dict[str, float]:
        return baselines(self.train, self.test, self.ridge, self.scaling, self.scales, self.trained)


def build(config: ForecastConfig, device: Device) -> Experiment:
    """Raises `UserError` for data that are no series, or too short."""
    source = open_source(config.data, config.loader, config.seed)
    parts = parts_of(source, config)
    net = net_of(config, parts)
    try:
        model = Forecaster(parts.scaling, net)
    except (ValueError, AssertionError) as error:
        raise UserError(f"The net cannot be built: {error}. Change --net.patch, --net.width or --context.") from error
    if net["skip"] == "ridge":
        model.begin_as(parts.ridge.weight, parts.ridge.bias)
    task = Forecasting(
        model, parts.scaling, parts.scales, lr=config.optim.lr, weight_decay=config.weight_decay, noise=config.noise
    )
    cells = Cells(parts.panel, parts.scaling.context, parts.scaling.horizon, device.device)
    train, valid, test = (WindowSet(cells, each.windows) for each in (parts.train, parts.valid, parts.test))
    ordered: dict[str, Any] = {"device": device.device, "train": False}
    training: dict[str, Any] = {
        "device": device.device,
        "seed": config.seed,
        "rank": device.rank,
        "world": device.world,
    }
    return Experiment(
        task=task,
        train=WindowLoader(train, config.trainer.batch_size, **training),
        select=WindowLoader(valid, EVALUATION_BATCH, **ordered),
        test=WindowLoader(test, EVALUATION_BATCH, **ordered),
        sources=(source,),
        models=(_model(config, model, net, parts),),
        baselines=parts.baselines,
    )


def parts_of(source: Source, config: ForecastConfig) -> Parts:
    """The windows of a source. Raises `UserError` where there are none."""
    first, second = panels_of(source)
    panel = joined(first, second)
    context, horizon = config.context or first.context, config.horizon or first.horizon
    held = first.held or round(config.valid_fraction * first.steps)
    trained = first.steps - max(held, horizon)
    if context < panel.season:
        raise UserError(
            f"--context is {context}, but a season of {source.name} has {panel.season} steps: a forecast must read one "
            "at least. Give a longer context, or set --loader.season."
        )
    if trained < context + horizon or second.steps < horizon:
        raise UserError(
            f"{source.name} has {first.steps} steps for training and {second.steps} for testing. That is too few: "
            f"forecasting {horizon} steps from {context} takes {context + 2 * horizon} for training, the last "
            f"{first.steps - trained} of which are held out, and {horizon} for testing. Use longer series, or a "
            "smaller --context or --horizon."
        )
    cells = Cells(panel, context, horizon)
    stride = config.stride or first.stride
    chosen = {
        "training": cells.windows(0, trained),
        "selection": _at_most(cells.windows(trained, first.steps), MOST_SELECTED),
        "testing": cells.windows(first.steps, panel.steps, stride),
    }
    if empty := [name for name, windows in chosen.items() if not len(windows)]:
        raise UserError(
            f"{source.name} has so many gaps that no window is left for {' and for '.join(empty)}: a window needs half "
            "of its past and a value to forecast. Fill the gaps, or use a smaller --context."
        )
    windows = [WindowSet(cells, each) for each in chosen.values()]
    scaling = scaling_of(panel.part(0, trained), config, context, horizon, windows[0])
    scales = scales_of(first.values[:, :trained], panel.season, panel.names)
    return Parts(panel, trained, first.steps, cells, *windows, scaling, scales)


def _at_most(windows: torch.Tensor, most: int) -> torch.Tensor:
    """Every so many-th window, so that at most `most` are left."""
    return windows[:: max(1, math.ceil(len(windows) / most))]


def scaling_of(panel: Panel, config: ForecastConfig, context: int, horizon: int, windows: WindowSet) -> Scaling:
    """Learned from the training part."""
    values = panel.values[~np.isnan(panel.values)].astype(np.float64)
    positive = float(values.min()) > 0
    if config.scale == "log" and not positive:
        raise UserError("--scale log needs positive values, but some are 0 or less. Use --scale plain.")
    wide = positive and float(values.max()) > WIDE * float(values.min())
    log = config.scale == "log" or (config.scale == "auto" and wide)
    given = sum(name not in CALENDAR for name in panel.columns)
    columns = panel.known[..., :given].reshape(panel.values.size, given).astype(np.float64)
    stds = np.nanstd(columns, 0) if given else np.zeros(0)
    scaling = Scaling(
        context=context,
        horizon=horizon,
        season=panel.season,
        levels=config.quantiles,
        columns=panel.columns,
        log=log,
        lowest=float(values.min()) / 2 if log else 1e-6,
        means=tuple(np.nan_to_num(np.nanmean(columns, 0)).tolist()) if given else (),
        stds=tuple(np.where(np.nan_to_num(stds) > 0, stds, 1.0).tolist()),
    )
    some = windows.cells.take(_at_most(windows.windows, MOST_SELECTED))
    past = scaling.learned(some["series"][..., 0].double())
    spread = past.std(1, correction=0)
    mean = past.mean(1)
    least = 1e-6 * (float(past.abs().mean()) or 1.0)  # whatever unit the values have
    return dataclasses.replace(
        scaling,
        least_spread=max(0.1 * float(spread.median()), least),
        level=(float(mean.mean()), max(float(mean.std(correction=0)), least)),
    )


def net_of(config: ForecastConfig, parts: Parts) -> dict[str, Any]:
    """The net's settings, with the length of patches that suits the data."""
    net = dataclasses.asdict(config.net)
    if not net["patch"]:
        net["patch"] = math.gcd(parts.scaling.context, parts.panel.step.season)
    return net


def _model(config: ForecastConfig, model: Forecaster, net: dict[str, Any], parts: Parts) -> TrainedModel:
    kept = WindowSet(parts.cells, _at_most(parts.test.windows, KEPT)).whole()
    names = ("series", "known") if parts.panel.columns else ("series",)
    return TrainedModel(
        builder=BUILDER,
        config={
            "net": net,
            "scaling": parts.scaling.to_dict(),
            "value": parts.panel.names[0] if len(parts.panel) == 1 else "value",
            "every": parts.panel.step.iso,
        },
        net=model,
        test=TensorDataset({name: kept[name] for name in names}),
        inputs={name: name for name in names},
        preprocessing=calendar_preprocessing(parts.scaling),
    )
