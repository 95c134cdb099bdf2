"""Trainings of agents with equal settings by our trainer, by stable-baselines3, and by a script: the same nets, numbers
of environments and steps, epochs, batches, optimizers and weights of losses, each as its users run it.

Speed is environment steps a second of training: play and learning, without evaluations. stable-baselines3 weighs the
value's loss without the half, so it gets half our weight.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from ppo_script import Script
from training import train

from torchworks.rl.actor_critic.build import build as build_actor
from torchworks.rl.actor_critic.recipes import sac
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.policies.build import build as build_policy
from torchworks.rl.policies.recipes import ppo
from torchworks.rl.q_learning.build import build as build_values
from torchworks.rl.q_learning.recipes import dqn
from torchworks.shared.config import Config, OptimConfig
from torchworks.shared.machine.device import Device, choose, seed_everything
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import Silent
from torchworks.shared.training.trainer import Trainer

OURS, SB3, SCRIPT = "torchworks", "stable-baselines3", "a script"
SOLVED = 475.0
"""Mean return of the last 20 episodes of training at which CartPole counts as solved."""
COUNT = 16
"""Environments that are stepped together."""
PPO_STEPS = 1024
"""Environment steps of a round of the recipe ppo."""
Actions = dict[str, Callable[[], object]]


def on_cpu() -> Device:
    return choose("cpu", precision="fp32", convolutional=False)


def _ours(config: Config, build: Callable[..., Experiment], steps: int) -> Callable[[], object]:
    """Goes on with the same nets each time, after the first of which memory is warm."""
    device = on_cpu()
    made = build(config, device)
    trainer = replace(config.trainer, steps=steps, eval_every=0, checkpoint_every=0)
    return lambda: train(made.task, made.train, trainer, device, config.optim)


def _constant(config: Any) -> Any:
    return replace(config, optim=OptimConfig(lr=config.optim.lr, schedule="constant"))


# ---- PPO -------------------------------------------------------------------------------------------------


def ppo_rounds(rounds: int) -> Actions:
    """Each trains `rounds` rounds of the recipe ppo, at a constant learning rate."""
    config = _constant(ppo())
    updates = rounds * config.rollout.epochs * round_of(config) // config.trainer.batch_size
    theirs, script = ppo_of_sb3(config, 0, lambda done: config.optim.lr), ppo_script(config, 0, lambda number: 1.0)
    return {
        OURS: _ours(config, build_policy, updates),
        SB3: lambda: theirs.learn(rounds * round_of(config), reset_num_timesteps=False),
        SCRIPT: lambda: [script.round_of_training() for _ in range(rounds)],
    }


def round_of(config: Any) -> int:
    """Steps of all environments in a round."""
    return config.rollout.environments * config.rollout.steps


def ppo_of_sb3(config: Any, seed: int, lr: Callable[[float], float]) -> Any:
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    sizes = [config.net.width] * config.net.layers
    return PPO(
        "MlpPolicy", make_vec_env(config.data, config.rollout.environments, seed=seed), n_steps=config.rollout.steps,
        batch_size=config.trainer.batch_size, n_epochs=config.rollout.epochs, gamma=config.rollout.discount,
        gae_lambda=config.rollout.trace, clip_range=config.ppo_clip, ent_coef=config.entropy_weight,
        vf_coef=config.value_weight / 2, max_grad_norm=config.max_norm, learning_rate=lr, stats_window_size=20,
        policy_kwargs={"net_arch": {"pi": sizes, "vf": sizes}}, device="cpu", seed=seed,
    )  # fmt: skip


def ppo_script(config: Any, seed: int, fraction: Callable[[int], float]) -> Script:
    return Script(
        environments=config.rollout.environments, steps=config.rollout.steps, epochs=config.rollout.epochs,
        batch=config.trainer.batch_size, lr=config.optim.lr, discount=config.rollout.discount,
        trace=config.rollout.trace, clip=config.ppo_clip, value_weight=config.value_weight, max_norm=config.max_norm,
        seed=seed, fraction=fraction,
    )  # fmt: skip


# ---- time to a score -------------------------------------------------------------------------------------


class Solved(Exception):
    """Ends a training that has reached `SOLVED`."""


def until_solved(seed: int) -> Actions:
    """Each trains the recipe ppo, with the learning rate that falls to 0, until it is solved, and returns the
    environment steps that this took, or None if it never was."""
    config = replace(ppo(), seed=seed)
    rounds = config.trainer.steps * config.trainer.batch_size // (config.rollout.epochs * round_of(config))

    def ours() -> int | None:
        device = on_cpu()
        seed_everything(seed)  # as `rl train` does, or the nets begin with whatever numbers come next
        made = build_policy(config, device)
        environments = made.task.rollouts.environments
        each = config.rollout.epochs * round_of(config) // config.trainer.batch_size

        class Watching(Silent):
            def advance(self, step: int) -> None:
                if len(environments.finished) == 20 and environments.mean_return >= SOLVED:
                    raise Solved(-(-step // each) * round_of(config))

        settings = replace(config.trainer, eval_every=0, checkpoint_every=0)
        return _steps(
            Trainer(made.task, made.train, config=settings, optim=config.optim, device=device, progress=Watching()).fit
        )

    def theirs() -> int | None:
        from stable_baselines3.common.callbacks import BaseCallback

        class Watching(BaseCallback):
            def _on_step(self) -> bool:
                return True

            def _on_rollout_end(self) -> None:
                last = [episode["r"] for episode in self.model.ep_info_buffer]
                if len(last) == 20 and np.mean(last) >= SOLVED:
                    raise Solved(self.num_timesteps)

        model = ppo_of_sb3(config, seed, lambda left: left * config.optim.lr)
        return _steps(lambda: model.learn(rounds * round_of(config), callback=Watching()))

    def script() -> int | None:
        made = ppo_script(config, seed, lambda number: 1 - number / rounds)
        for number in range(rounds):
            made.round_of_training()
            if made.mean_return >= SOLVED:
                return (number + 1) * round_of(config)
        return None

    return {OURS: ours, SB3: theirs, SCRIPT: script}


def _steps(training: Callable[[], object]) -> int | None:
    try:
        training()
    except Solved as solved:
        return solved.args[0]
    return None


# ---- DQN and SAC -----------------------------------------------------------------------------------------


def dqn_updates(updates: int) -> Actions:
    """Each makes `updates` updates of DQN (not double, as stable-baselines3 has no other)."""
    config = replace(_constant(dqn()), double=False)
    config = replace(config, replay=replace(config.replay, n_step=1))
    replay = config.replay
    from stable_baselines3 import DQN
    from stable_baselines3.common.env_util import make_vec_env

    model = DQN(
        "MlpPolicy", make_vec_env(config.data, replay.environments, seed=0), learning_rate=config.optim.lr,
        buffer_size=replay.capacity, learning_starts=replay.warmup, batch_size=config.trainer.batch_size,
        tau=config.polyak, target_update_interval=replay.environments, gamma=replay.discount,
        train_freq=1, gradient_steps=replay.updates, max_grad_norm=config.max_norm,
        policy_kwargs={"net_arch": [config.net.width] * config.net.layers}, device="cpu",
    )  # fmt: skip
    model.learn(replay.warmup)  # random play, from which nothing is learnt
    steps = updates // replay.updates * replay.environments
    return {
        OURS: _ours(config, build_values, updates),
        SB3: lambda: model.learn(steps, reset_num_timesteps=False),
    }


def sac_updates(updates: int) -> Actions:
    """Each makes `updates` updates of SAC's two critics, its policy and its temperature."""
    config = _constant(sac())
    replay = config.replay
    from stable_baselines3 import SAC
    from stable_baselines3.common.env_util import make_vec_env

    model = SAC(
        "MlpPolicy", make_vec_env(config.data, replay.environments, seed=0), learning_rate=config.optim.lr,
        buffer_size=replay.capacity, learning_starts=replay.warmup, batch_size=config.trainer.batch_size,
        tau=config.polyak, gamma=replay.discount, train_freq=1, gradient_steps=replay.updates,
        policy_kwargs={"net_arch": [config.net.width] * config.net.layers}, device="cpu",
    )  # fmt: skip
    model.learn(replay.warmup)
    steps = updates // replay.updates * replay.environments
    return {
        OURS: _ours(config, build_actor, updates),
        SB3: lambda: model.learn(steps, reset_num_timesteps=False),
    }


# ---- environments ----------------------------------------------------------------------------------------


def stepping(steps: int, count: int = COUNT) -> Actions:
    """Each takes `steps` steps of `count` poles with random actions."""
    from stable_baselines3.common.env_util import make_vec_env

    actions = np.random.default_rng(0).integers(2, size=(steps, count))
    ours, theirs = Environments(kind_of("CartPole-v1"), list(range(count))), make_vec_env("CartPole-v1", count, seed=0)
    vectors = {
        f"Gymnasium, {mode}": gymnasium.make_vec("CartPole-v1", num_envs=count, vectorization_mode=mode)
        for mode in ("sync", "vector_entry_point")
    }
    for each in (theirs, *vectors.values()):
        each.reset()

    def through(step: Callable[[np.ndarray], object]) -> Callable[[], object]:
        return lambda: [step(row) for row in actions]

    return {OURS: through(ours.step), SB3: through(theirs.step)} | {
        name: through(each.step) for name, each in vectors.items()
    }
