"""From a configuration to an experiment of a policy: environment, nets, task, baselines, and the model to save."""

import torch

from torchworks.rl.environments.baselines import baselines
from torchworks.rl.environments.opening import kind_of, seeds_to_judge_by, source_of, training_seed
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.policies.config import PolicyConfig
from torchworks.rl.policies.predictor import make_agent, policy_config
from torchworks.rl.policies.rollouts import Rollouts
from torchworks.rl.policies.task import PolicyTask
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment


def build(config: PolicyConfig, device: Device) -> Experiment:
    """Raises `UserError` for an environment that does not exist or that no policy here can handle."""
    if device.world > 1:
        raise UserError("Policies learn in one process: start `train` without torchrun.")
    kind = kind_of(config.data)
    source, agent = source_of(kind), make_agent(kind, config.net)
    seeds = [training_seed(config.seed, number) for number in range(config.rollout.environments)]
    rollouts = Rollouts(
        Environments(kind, seeds), agent, config.rollout, batch_size=config.trainer.batch_size, seed=config.seed
    )
    loaders = LoaderFactory(config, device)
    test = seeds_to_judge_by()
    return Experiment(
        task=PolicyTask(agent, rollouts, kind, config),
        train=rollouts,
        select=loaders.ordered(source.train),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(
            TrainedModel(
                builder="rl-policy",
                config=policy_config(kind, config.net),
                net=agent,
                golden={"observation": torch.from_numpy(Environments(kind, test[:2]).observation)},
            ),
        ),
        baselines=lambda: baselines(kind, test),
    )
