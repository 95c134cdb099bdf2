"""From a configuration to an experiment of Q-learning: environment, nets, memory, task, baselines, the model."""

import torch

from torchworks.rl.algorithms.c51 import support
from torchworks.rl.environments.baselines import baselines
from torchworks.rl.environments.opening import kind_of, seeds_to_judge_by, source_of, training_seed
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.memory.acting import Acting
from torchworks.rl.memory.replay import Replay
from torchworks.rl.q_learning.config import QConfig
from torchworks.rl.q_learning.exploring import Exploring
from torchworks.rl.q_learning.predictor import make_net, values_config
from torchworks.rl.q_learning.task import QTask
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment


def build(config: QConfig, device: Device) -> Experiment:
    """Raises `UserError` for an environment that does not exist, or whose actions are not one of several."""
    if device.world > 1:
        raise UserError("Q-learning is for one process: start `train` without torchrun.")
    kind = kind_of(config.data)
    if kind.continuous:
        raise UserError(
            f"Actions of {kind.id} are numbers, and Q-learning compares actions one by one. Use the recipe ppo, whose "
            "actions may be numbers."
        )
    source, q = source_of(kind), make_net(kind, config.net)
    seeds = [training_seed(config.seed, number) for number in range(config.replay.environments)]
    values = support(config.net.low, config.net.high, config.net.atoms)
    acting = Acting(
        Environments(kind, seeds),
        Exploring(q, values, config.exploration, steps=config.trainer.steps),
        Replay(config.replay.capacity, kind.width),
        config.replay,
        steps=config.trainer.steps,
        batch_size=config.trainer.batch_size,
        seed=config.seed,
    )
    loaders = LoaderFactory(config, device)
    test = seeds_to_judge_by()
    return Experiment(
        task=QTask(q, acting, values, kind, config),
        train=acting,
        select=loaders.ordered(source.train),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(
            TrainedModel(
                builder="rl-values",
                config=values_config(kind, config.net),
                net=q,
                golden={"observation": torch.from_numpy(Environments(kind, test[:2]).observation)},
            ),
        ),
        baselines=lambda: baselines(kind, test),
    )
