"""The recipes of actors whose actions are numbers. Their docstrings are what `list` prints."""

from torchworks.rl.actor_critic.config import ActorConfig, ActorNet
from torchworks.rl.memory.config import ReplayConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def sac() -> ActorConfig:
    """SAC: a pendulum swung up and held, by a force that is a number.

    rl train sac

    Pendulum, three seeds: return −144.7 ± 0.7 in 100 episodes (random actions −1,197, a rule written by hand −148), 30
    to 34 CPU s of one core of an AMD EPYC (torch 2.14.1, fp32).
    """
    return ActorConfig(
        recipe="sac",
        net=ActorNet(width=64),
        replay=ReplayConfig(environments=4, updates=2, capacity=20_000, warmup=1_000, discount=0.98),
        optim=OptimConfig(lr=3e-3, schedule="linear"),
        polyak=0.01,
        trainer=TrainerConfig(steps=5000, batch_size=128, eval_every=1000, log_every=100, precision="fp32"),
    )


def td3() -> ActorConfig:
    """TD3: the same by a policy without chance, with noise in play.

    rl train td3

    Pendulum, three seeds: return −146.1 ± 1.1 in 100 episodes (random actions −1,197, a rule written by hand −148), 21
    to 25 CPU s of one core of an AMD EPYC (torch 2.14.1, fp32).
    """
    return ActorConfig(
        recipe="td3",
        algorithm="td3",
        net=ActorNet(width=64),
        replay=ReplayConfig(environments=4, updates=2, capacity=20_000, warmup=1_000, discount=0.98),
        optim=OptimConfig(lr=2e-3, schedule="linear"),
        polyak=0.01,
        trainer=TrainerConfig(steps=5000, batch_size=128, eval_every=1000, log_every=100, precision="fp32"),
    )


def mountain_car() -> ActorConfig:
    """SAC with pink noise: a car too weak for a hill, which has to swing up.

    rl train mountain-car

    MountainCarContinuous, three seeds: return 94.4 ± 0.2 in 100 episodes (random actions −30, a rule written by hand
    89), 74 to 86 CPU s of one core of an AMD EPYC (torch 2.14.1, fp32).
    """
    return ActorConfig(
        recipe="mountain-car",
        data="MountainCarContinuous-v0",
        color=1.0,
        net=ActorNet(width=64),
        replay=ReplayConfig(environments=4, updates=2, capacity=100_000, warmup=4_000, discount=0.999),
        optim=OptimConfig(lr=1e-3, schedule="linear"),
        polyak=0.01,
        trainer=TrainerConfig(steps=20_000, batch_size=128, eval_every=2500, log_every=100, precision="fp32"),
    )
