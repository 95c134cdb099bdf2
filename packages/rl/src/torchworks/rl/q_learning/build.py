"""From a configuration to an experiment of Q-learning: environment, nets, memory, task, baselines, the model."""

from torchworks.rl.algorithms.c51 import support
from torchworks.rl.environments.experiment import experiment_of, open_kind, training_environments
from torchworks.rl.environments.opening import Kind
from torchworks.rl.memory.acting import Acting
from torchworks.rl.memory.frames import FrameReplay, room
from torchworks.rl.memory.replay import Replay
from torchworks.rl.q_learning.config import QConfig
from torchworks.rl.q_learning.exploring import Exploring
from torchworks.rl.q_learning.predictor import make_net, values_config
from torchworks.rl.q_learning.task import QTask
from torchworks.shared.config import UserError
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment


def build(config: QConfig, device: Device) -> Experiment:
    """Raises `UserError` for an environment that does not exist, or whose actions are not one of several."""
    kind = open_kind(config, device)
    if kind.continuous:
        raise UserError(
            f"Actions of {kind.id} are numbers, and Q-learning compares actions one by one. Use the recipe ppo, whose "
            "actions may be numbers."
        )
    q = make_net(kind, config.net)
    values = support(config.net.low, config.net.high, config.net.atoms)
    replay, notes = _memory(kind, config)
    acting = Acting(
        training_environments(kind, config, config.replay.environments),
        Exploring(q, values, config.exploration, steps=config.trainer.steps),
        replay,
        config.replay,
        steps=config.trainer.steps,
        batch_size=config.trainer.batch_size,
        seed=config.seed,
    )
    task, model = QTask(q, acting, values, kind, config), values_config(kind, config.net)
    return experiment_of(config, device, task, acting, q, builder="rl-values", model=model, notes=notes)


def _memory(kind: Kind, config: QConfig) -> tuple[Replay, tuple[str, ...]]:
    """The memory of steps, and what it takes where that is much."""
    capacity = config.replay.capacity
    if not (kind.stack and kind.most):
        return Replay(capacity, kind.shape, whole=bool(kind.most)), ()
    recent = 2 * config.replay.environments * (config.replay.n_step + kind.grid[0])
    once, each = room(capacity, kind.grid, recent=recent)
    note = (
        f"The memory takes {once / 1e6:,.0f} MB for {capacity:,} steps, with each frame kept once; observations of "
        f"their own would take {each / 1e6:,.0f} MB (--replay.capacity)."
    )
    return FrameReplay(capacity, kind.grid, recent=recent), (note,)
