"""From a configuration to an experiment of an actor: environment, nets, memory, task, baselines, the model to save."""

from torchworks.rl.actor_critic.config import ActorConfig
from torchworks.rl.actor_critic.drawing import Drawing
from torchworks.rl.actor_critic.predictor import actor_config
from torchworks.rl.actor_critic.task import ActorTask
from torchworks.rl.environments.experiment import experiment_of, open_kind, training_environments
from torchworks.rl.memory.acting import Acting
from torchworks.rl.memory.replay import Replay
from torchworks.rl.models.twin_critics import NumberPolicy, TwinCritics
from torchworks.shared.config import UserError
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment


def build(config: ActorConfig, device: Device) -> Experiment:
    """Raises `UserError` for an environment that does not exist, or whose actions are not numbers."""
    kind = open_kind(config, device)
    if not kind.continuous:
        raise UserError(
            f"Actions of {kind.id} are numbered, and {config.algorithm} is for actions that are numbers. Use the "
            "recipe dqn or ppo."
        )
    if kind.grid:
        raise UserError(
            f"Observations of {kind.id} are grids, and {config.algorithm} has nets for vectors alone. Use the "
            "recipe ppo."
        )
    sizes = {"width": config.net.width, "layers": config.net.layers}
    actor = NumberPolicy(kind.width, kind.actions, **sizes)
    drawing = Drawing(actor, kind, config)
    acting = Acting(
        training_environments(kind, config, config.replay.environments),
        drawing,
        Replay(config.replay.capacity, kind.width, kind.actions),
        config.replay,
        steps=config.trainer.steps,
        batch_size=config.trainer.batch_size,
        seed=config.seed,
        noise=drawing.noise,
    )
    critics = TwinCritics(kind.width, kind.actions, **sizes)
    task, model = ActorTask(actor, critics, acting, drawing, kind, config), actor_config(kind, config.net)
    return experiment_of(config, device, task, acting, actor, builder="rl-actor", model=model)
