"""The recipes of policies. Their docstrings are what `list` prints."""

from torchworks.rl.policies.config import PolicyConfig, PolicyNet, RolloutConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def ppo() -> PolicyConfig:
    """PPO: a pole balanced on a cart, learnt in seconds.

    rl train ppo

    CartPole, three seeds: return 500 ± 0 in 100 episodes (random actions 20, a rule written by hand 500), 14 to 18 CPU
    s of one core of an AMD EPYC (torch 2.14.1, fp32).
    """
    return PolicyConfig(
        recipe="ppo",
        rollout=RolloutConfig(environments=16, steps=64, epochs=8, discount=0.98, trace=0.8),
        optim=OptimConfig(lr=2.5e-3, schedule="linear"),
        trainer=TrainerConfig(steps=1856, batch_size=256, eval_every=464, precision="fp32"),
    )


def ppo_lstm() -> PolicyConfig:
    """PPO with a memory: a pole balanced whose speed cannot be seen.

    rl train ppo-lstm

    HiddenCartPole, three seeds: return 473 ± 26 in 100 episodes (random actions 20, a rule with a memory 500; PPO on
    one observation 44, on four in a row 499, a seed each), 31 to 35 CPU s of one core of an AMD EPYC (torch
    2.14.1, fp32).
    """
    return PolicyConfig(
        recipe="ppo-lstm",
        data="HiddenCartPole-v1",
        net=PolicyNet(width=32, memory=32),
        rollout=RolloutConfig(environments=16, steps=64, epochs=8, discount=0.98, trace=0.8),
        optim=OptimConfig(lr=4e-3, schedule="linear"),
        trainer=TrainerConfig(steps=1856, batch_size=512, eval_every=232, precision="fp32"),
    )


def a2c() -> PolicyConfig:
    """A2C: each step learnt from once.

    rl train a2c

    CartPole, three seeds: return 500 ± 0 in 100 episodes (random actions 20, a rule written by hand 500), 30 to 35 CPU
    s of one core of an AMD EPYC (torch 2.14.1, fp32).
    """
    return PolicyConfig(
        recipe="a2c",
        algorithm="a2c",
        rollout=RolloutConfig(environments=16, steps=8, epochs=1, discount=0.99, trace=0.95),
        optim=OptimConfig(lr=2.5e-3, schedule="linear"),
        trainer=TrainerConfig(steps=3000, batch_size=128, eval_every=500, precision="fp32"),
    )


def reinforce() -> PolicyConfig:
    """REINFORCE: what turned out well made more probable.

    rl train reinforce

    CartPole, three seeds: return 498.2 ± 0.9 in 100 episodes (random actions 20, a rule written by hand 500), 20 to 24
    CPU s of one core of an AMD EPYC (torch 2.14.1, fp32).
    """
    return PolicyConfig(
        recipe="reinforce",
        algorithm="reinforce",
        rollout=RolloutConfig(environments=16, steps=200, epochs=1, discount=0.99, trace=1.0),
        optim=OptimConfig(lr=5e-3, schedule="linear"),
        trainer=TrainerConfig(steps=120, batch_size=3200, eval_every=30, log_every=5, precision="fp32"),
    )


def snake() -> PolicyConfig:
    """PPO: Snake on 10 x 10 cells, seen from its head, with the ways to food and the room that each move leaves.

    rl train snake

    Three seeds: 32.3 ± 1.8 pieces of food in 100 episodes (random actions 0.15, the nearest way to food 30.5,
    a round trip through all cells 97), 69 to 82 CPU s of one core of an AMD EPYC (torch 2.14.1, fp32).
    """
    return PolicyConfig(
        recipe="snake",
        data="Snake10Ways-v0",
        net=PolicyNet(width=128, layers=1, channels=(8,), stride=4, middle=9),
        rollout=RolloutConfig(environments=64, steps=64, epochs=3, discount=0.997, trace=0.95),
        value_weight=0.02,
        entropy_weight=0.005,
        entropy_end=0.0,
        optim=OptimConfig(lr=7e-4, schedule="linear"),
        trainer=TrainerConfig(steps=2000, batch_size=512, eval_every=500, log_every=100, precision="fp32"),
    )


def breakout() -> PolicyConfig:
    """PPO: Breakout on 10 x 10 cells.

    rl train breakout

    Three seeds: 104.0 ± 1.0 bricks in 100 episodes of at most 1000 steps (random actions 0.14,
    always below the ball 15, a rule that tries out how the ball can go 84), 103 to 119 CPU s of one core of an
    AMD EPYC (torch 2.14.1, fp32).
    """
    return PolicyConfig(
        recipe="breakout",
        data="Breakout10-v0",
        net=PolicyNet(width=128, layers=2, channels=(16, 32), stride=2, middle=10),
        rollout=RolloutConfig(environments=64, steps=64, epochs=3, discount=0.99, trace=0.95),
        entropy_weight=0.02,
        entropy_end=0.1,
        optim=OptimConfig(lr=1e-3, schedule="linear"),
        trainer=TrainerConfig(steps=3000, batch_size=1024, eval_every=300, precision="fp32"),
    )


def ppo_atari() -> PolicyConfig:
    """PPO on pixels, with the settings of Schulman et al. 2017; needs ale-py, which you install yourself.

    rl train ppo-atari --data ALE/Breakout-v5

    1,000,448 steps of play (4,000,000 frames), a tenth of the paper's: hours of a CPU, and never trained to its end
    here. With the options in docs/atari.md on PixelBreakout10-v0, three seeds: 10.2 ± 4.2 bricks (random actions 0.35,
    a rule that reads the pixels 15.0), 115 to 119 CPU s of one core of an AMD EPYC (torch 2.14.1, bf16).
    """
    return PolicyConfig(
        recipe="ppo-atari",
        data="ALE/Pong-v5",
        net=PolicyNet(width=512, body="nature"),
        rollout=RolloutConfig(environments=8, steps=128, epochs=3, discount=0.99, trace=0.95, signs=True),
        ppo_clip=0.1,
        value_weight=1.0,
        entropy_weight=0.01,
        optim=OptimConfig(lr=2.5e-4, schedule="linear"),
        trainer=TrainerConfig(steps=11_724, batch_size=256, eval_every=1172, log_every=12),
    )
