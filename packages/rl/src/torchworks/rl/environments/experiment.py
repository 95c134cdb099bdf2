"""What the experiments of all agents have in common: episodes of an environment to learn from, choose and judge by."""

from typing import Any

import torch
from torch import nn

from torchworks.rl.environments.baselines import baselines
from torchworks.rl.environments.opening import Kind, kind_of, seeds_to_judge_by, source_of, training_seed
from torchworks.rl.environments.playing_task import PlayingTask
from torchworks.rl.environments.stepping import Environments
from torchworks.shared.config import Config, UserError
from torchworks.shared.data import LoaderFactory
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment


def open_kind(config: Config, device: Device) -> Kind:
    """The kind of the environment that `config` names. Raises `UserError` if there is none, or several processes."""
    if device.world > 1:
        raise UserError("Agents learn in one process: start `train` without torchrun.")
    return kind_of(config.data)


def training_environments(kind: Kind, config: Config, count: int) -> Environments:
    """`count` environments that begin as the seed of `config` says."""
    return Environments(kind, [training_seed(config.seed, number) for number in range(count)])


def experiment_of(
    config: Config,
    device: Device,
    task: PlayingTask,
    train: Any,
    net: nn.Module,
    *,
    builder: str,
    model: dict[str, Any],
) -> Experiment:
    """`task` learns from the batches of `train`; `net` becomes a predictor by `builder` from the plain data `model`."""
    source, loaders, test = source_of(task.kind), LoaderFactory(config, device), seeds_to_judge_by()
    golden = {"observation": torch.from_numpy(Environments(task.kind, test[:2]).observation)}
    return Experiment(
        task=task,
        train=train,
        select=loaders.ordered(source.train),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(TrainedModel(builder=builder, config=model, net=net, golden=golden),),
        baselines=lambda: baselines(task.kind, test),
    )
