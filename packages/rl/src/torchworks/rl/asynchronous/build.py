"""From a configuration to an experiment of an asynchronous policy."""

from torchworks.rl.asynchronous.config import AsynchronousConfig
from torchworks.rl.asynchronous.task import AsynchronousTask
from torchworks.rl.asynchronous.workers import Workers
from torchworks.rl.environments.experiment import experiment_of, open_kind, training_environments
from torchworks.rl.policies.build import task_of
from torchworks.rl.policies.predictor import make_agent, policy_config
from torchworks.rl.policies.sharing import Sharing
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment


def build(config: AsynchronousConfig, device: Device) -> Experiment:
    """Raises `UserError` for an environment that does not exist or that no policy here can handle."""
    kind = open_kind(config, device)
    agent, workers = make_agent(kind, config.net), Workers(config)
    unused = training_environments(kind, config, 1)  # the workers have their own; here an agent is only judged
    player = task_of(agent, unused, config, seed=config.seed, sharing=Sharing())
    task, model = AsynchronousTask(player, workers), policy_config(kind, config.net)
    workers.agent = agent
    return experiment_of(config, device, task, workers, agent, builder="rl-policy", model=model)
