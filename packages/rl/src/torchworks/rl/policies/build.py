"""From a configuration to an experiment of a policy: environment, nets, task, baselines, and the model to save."""

from torchworks.rl.environments.experiment import experiment_of, open_kind, training_environments
from torchworks.rl.policies.config import PolicyConfig
from torchworks.rl.policies.predictor import make_agent, policy_config
from torchworks.rl.policies.rollouts import Rollouts
from torchworks.rl.policies.task import PolicyTask
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment


def build(config: PolicyConfig, device: Device) -> Experiment:
    """Raises `UserError` for an environment that does not exist or that no policy here can handle."""
    kind = open_kind(config, device)
    agent = make_agent(kind, config.net)
    environments = training_environments(kind, config, config.rollout.environments)
    rollouts = Rollouts(environments, agent, config.rollout, batch_size=config.trainer.batch_size, seed=config.seed)
    task, model = PolicyTask(agent, rollouts, kind, config), policy_config(kind, config.net)
    return experiment_of(config, device, task, rollouts, agent, builder="rl-policy", model=model)
