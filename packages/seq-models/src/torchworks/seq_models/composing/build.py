"""Models of music: from a configuration to an experiment."""

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import nn

from torchworks.seq_models.composing.baselines import baselines
from torchworks.seq_models.composing.config import ComposeConfig
from torchworks.seq_models.composing.predictor import HARMONY, ROLL
from torchworks.seq_models.composing.sampling import compose, new_net
from torchworks.seq_models.composing.task import Composing
from torchworks.seq_models.data.pieces import FRAMES, pieces_of
from torchworks.seq_models.music.frames import ranges_of
from torchworks.seq_models.music.rules import broken_per_100
from torchworks.shared.data import Field, LoaderFactory, Schema, Source, TensorDataset, held_out, open_source, resident
from torchworks.shared.data.ragged import length_name
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

COMPOSED = 64
"""Frames of a piece that is composed to count how often it breaks rules."""
KEPT = 16
"""Test pieces kept with a model, and how many frames of each."""
KEPT_FRAMES = 32


def build(config: ComposeConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without music."""
    source = open_source(config.data, config.loader, config.seed)
    source.need(FRAMES)
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    voices = source.schema[FRAMES].shape[1]
    net = new_net(voices=voices, **dataclasses.asdict(config.net))
    low, high = ranges_of(np.concatenate(pieces_of(rest)))
    task = Composing(
        net, lr=config.optim.lr, weight_decay=config.weight_decay, length=config.length, transpose=config.transpose,
        ranges=(torch.from_numpy(low).to(device.device), torch.from_numpy(high).to(device.device)),
        per_quarter=config.loader.per_quarter,
    )  # fmt: skip
    loaders = LoaderFactory(config, device, evaluation_batch=16)
    return Experiment(
        task=task,
        train=loaders.training(resident(rest)),
        select=loaders.ordered(resident(held or rest)),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(_model(config, net, source, voices),),
        baselines=lambda: compared(net, pieces_of(rest), pieces_of(source.test), config),
    )


def compared(
    net: nn.Module, train: list[np.ndarray], test: list[np.ndarray], config: ComposeConfig
) -> dict[str, float]:
    """Scores of what needs no net; and of music for at most four voices, how often the net's own pieces break rules in
    100 frames, and how often those of the test part do."""
    found = baselines(train, test, config.transpose)
    if test[0].shape[1] <= 4 and config.composed:
        found |= compared_rules(compose(net, config.composed, COMPOSED, seed=config.seed), test)
    return found


def compared_rules(composed: list[np.ndarray], test: list[np.ndarray]) -> dict[str, float]:
    """`broken_RULE_composed` and `broken_RULE_test`."""
    found = {}
    for name, pieces in (("composed", composed), ("test", test)):
        found |= {f"broken_{rule}_{name}": rate for rule, rate in broken_per_100(pieces).items()}
    return found


def _model(config: ComposeConfig, net: nn.Module, source: Source, voices: int) -> TrainedModel:
    """Its samples are the beginnings of test pieces, or of their melodies."""
    tensors = resident(source.test).tensors
    long = (tensors[length_name(FRAMES)] >= 2).nonzero()[:KEPT, 0]
    length = min(KEPT_FRAMES, int(tensors[length_name(FRAMES)][long].min()))
    frames = tensors[FRAMES][long, :length]
    plain: dict[str, Any] = {"net": dataclasses.asdict(config.net), "voices": voices}
    if config.net.kind == "notes":
        melody = frames[..., 0].contiguous()
        schema = Schema((Field("melody", "tokens", (length,), vocabulary=128),))
        test = TensorDataset({"melody": melody}, schema)
        return TrainedModel(builder=HARMONY, config=plain, net=net, test=test, inputs={"melody": "melody"})
    schema = Schema((Field("frames", "series", (length, voices)),))
    test = TensorDataset({"frames": frames.to(torch.float32)}, schema)
    return TrainedModel(builder=ROLL, config=plain, net=net, test=test, inputs={"frames": "frames"})
