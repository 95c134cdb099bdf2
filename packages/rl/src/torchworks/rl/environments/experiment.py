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


def open_kind(config: Config, device: Device, *, alone: bool = True) -> Kind:
    """The kind of the environment that `config` names. Raises `UserError` if there is none, or if there are several
    processes and it is learnt `alone`."""
    if alone and device.world > 1:
        raise UserError(
            f"The recipe {config.recipe} learns in one process: start `train` without torchrun. ppo, a2c and "
            "reinforce can be shared by several."
        )
    return kind_of(config.data)


def training_environments(kind: Kind, config: Config, count: int, rank: int = 0) -> Environments:
    """`count` environments that begin as the seed of `config` says, those of process number `rank`."""
    numbers = range(rank * count, (rank + 1) * count)
    return Environments(kind, [training_seed(config.seed, number) for number in numbers])


def experiment_of(
    config: Config,
    device: Device,
    task: PlayingTask,
    train: Any,
    net: nn.Module,
    *,
    builder: str,
    model: dict[str, Any],
    notes: tuple[str, ...] = (),
) -> Experiment:
    """`task` learns from the batches of `train`; `net` becomes a predictor by `builder` from the plain data `model`.
    `notes` are told to the user."""
    source, loaders, test = source_of(task.kind, notes), LoaderFactory(config, device), seeds_to_judge_by(task.kind)
    golden = {"observation": torch.from_numpy(Environments(task.kind, test[:2]).observation), **task.example(2)}
    return Experiment(
        task=task,
        train=train,
        select=loaders.ordered(source.train),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(TrainedModel(builder=builder, config=model, net=net, golden=golden),),
        baselines=lambda: baselines(task.kind, test),
    )
