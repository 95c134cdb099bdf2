"""From a configuration to an experiment of a policy: environment, nets, task, baselines, and the model to save."""

from torchworks.rl.environments.experiment import experiment_of, open_kind, training_environments
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
        raise UserError(
            "The nets of an agent are small, and each process needs them whole to play. Use --strategy ddp."
        )
    agent = make_agent(kind, config.net)
    environments = training_environments(kind, config, config.rollout.environments, device.rank)
    rows, options = config.trainer.batch_size, {"seed": config.seed, "sharing": Sharing.of(device)}
    if isinstance(agent, RecurrentActorCritic):
        sequences = rows // config.rollout.steps
        rollouts = RecurrentRollouts(environments, agent, config.rollout, batch_size=sequences, **options)
        task = RecurrentPolicyTask(agent, rollouts, kind, config)
    else:
        rollouts = Rollouts(environments, agent, config.rollout, batch_size=rows, **options)
        task = PolicyTask(agent, rollouts, kind, config)
    return experiment_of(
        config, device, task, rollouts, agent, builder="rl-policy", model=policy_config(kind, config.net)
    )
