"""From a configuration to an experiment of an actor: environment, nets, memory, task, baselines, the model to save."""

import torch

from torchworks.rl.actor_critic.config import ActorConfig
from torchworks.rl.actor_critic.drawing import Drawing
from torchworks.rl.actor_critic.predictor import actor_config
from torchworks.rl.actor_critic.task import ActorTask
from torchworks.rl.environments.baselines import baselines
from torchworks.rl.environments.opening import kind_of, seeds_to_judge_by, source_of, training_seed
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.memory.acting import Acting
from torchworks.rl.memory.replay import Replay
from torchworks.rl.models.twin_critics import NumberPolicy, TwinCritics
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment


def build(config: ActorConfig, device: Device) -> Experiment:
    """Raises `UserError` for an environment that does not exist, or whose actions are not numbers."""
    if device.world > 1:
        raise UserError("Actors learn in one process: start `train` without torchrun.")
    kind = kind_of(config.data)
    if not kind.continuous:
        raise UserError(
            f"Actions of {kind.id} are numbered, and {config.algorithm} is for actions that are numbers. Use the "
            "recipe dqn or ppo."
        )
    sizes = {"width": config.net.width, "layers": config.net.layers}
    source, actor = source_of(kind), NumberPolicy(kind.width, kind.actions, **sizes)
    seeds = [training_seed(config.seed, number) for number in range(config.replay.environments)]
    drawing = Drawing(actor, kind, config)
    acting = Acting(
        Environments(kind, seeds),
        drawing,
        Replay(config.replay.capacity, kind.width, kind.actions),
        config.replay,
        steps=config.trainer.steps,
        batch_size=config.trainer.batch_size,
        seed=config.seed,
    )
    loaders = LoaderFactory(config, device)
    test = seeds_to_judge_by()
    return Experiment(
        task=ActorTask(actor, TwinCritics(kind.width, kind.actions, **sizes), acting, drawing, kind, config),
        train=acting,
        select=loaders.ordered(source.train),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(
            TrainedModel(
                builder="rl-actor",
                config=actor_config(kind, config.net),
                net=actor,
                golden={"observation": torch.from_numpy(Environments(kind, test[:2]).observation)},
            ),
        ),
        baselines=lambda: baselines(kind, test),
    )
