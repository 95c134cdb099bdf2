"""From a configuration to an experiment of a policy: environment, nets, task, baselines, and the model to save."""

from torchworks.rl.environments.experiment import experiment_of, open_kind, training_environments
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.models.actor_critic import ActorCritic
from torchworks.rl.models.recurrent_actor_critic import RecurrentActorCritic
from torchworks.rl.policies.config import PolicyConfig
from torchworks.rl.policies.predictor import make_agent, policy_config
from torchworks.rl.policies.recurrent_rollouts import RecurrentRollouts
from torchworks.rl.policies.recurrent_task import RecurrentPolicyTask
from torchworks.rl.policies.rollouts import Rollouts
from torchworks.rl.policies.sharing import Sharing
from torchworks.rl.policies.task import PolicyTask
from torchworks.shared.config import UserError
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment


def build(config: PolicyConfig, device: Device) -> Experiment:
    """Raises `UserError` for an environment that does not exist or that no policy here can handle."""
    kind = open_kind(config, device, alone=False)
    if device.world > 1 and config.trainer.strategy == "fsdp":
        raise UserError("The nets of an agent are small, and each process plays with them whole. Use --strategy ddp.")
    agent, environments = make_agent(kind, config.net), config.rollout.environments
    task = task_of(
        agent,
        training_environments(kind, config, environments, device.rank),
        config,
        seed=config.seed,
        sharing=Sharing.of(device),
    )
    model = policy_config(kind, config.net)
    return experiment_of(config, device, task, task.rollouts, agent, builder="rl-policy", model=model)


def task_of(
    agent: ActorCritic | RecurrentActorCritic,
    environments: Environments,
    config: PolicyConfig,
    *,
    seed: int,
    sharing: Sharing,
) -> PolicyTask:
    """The task of training `agent` on rounds of play in `environments`."""
    kind, batch_size = environments.kind, config.trainer.batch_size
    if isinstance(agent, RecurrentActorCritic):
        sequences = batch_size // config.rollout.steps
        recurrent = RecurrentRollouts(
            environments, agent, config.rollout, batch_size=sequences, seed=seed, sharing=sharing
        )
        return RecurrentPolicyTask(agent, recurrent, kind, config)
    rollouts = Rollouts(environments, agent, config.rollout, batch_size=batch_size, seed=seed, sharing=sharing)
    return PolicyTask(agent, rollouts, kind, config)
