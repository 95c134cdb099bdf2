"""From a configuration to an experiment of an asynchronous policy."""

from torchworks.rl.asynchronous.config import AsynchronousConfig
from torchworks.rl.asynchronous.task import AsynchronousTask
from torchworks.rl.asynchronous.workers import Workers
from torchworks.rl.environments.experiment import experiment_of, open_kind
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.policies.build import task_of
from torchworks.rl.policies.predictor import make_agent, policy_config
from torchworks.rl.policies.sharing import Sharing
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment


def build(config: AsynchronousConfig, device: Device) -> Experiment:
    """Raises `UserError` for an environment that does not exist or that no policy here can handle."""
    kind = open_kind(config, device)
    agent, workers = make_agent(kind, config.net), Workers(config)
    player = task_of(agent, Environments(kind, []), config, seed=config.seed, sharing=Sharing())  # it only judges
    task, model = AsynchronousTask(player, workers), policy_config(kind, config.net)
    workers.agent = agent
    return experiment_of(config, device, task, workers, agent, builder="rl-policy", model=model)
