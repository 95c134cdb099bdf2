"""The recipe of asynchronous policies. Its docstring is what `list` prints."""

from torchworks.rl.asynchronous.config import AsynchronousConfig
from torchworks.rl.policies.config import RolloutConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def a3c() -> AsynchronousConfig:
    """A3C: two processes play and learn without waiting for each other; no training is like another.

    rl train a3c

    CartPole, one try of 800 updates: return 138, by A2C 500 after as much play; 1,740 steps of play a second, by A2C
    2,020, on two cores with much other work (torch 2.14.1, fp32). Its own 3,000 updates were not measured. Use a2c.
    """
    return AsynchronousConfig(
        recipe="a3c",
        algorithm="a2c",
        rollout=RolloutConfig(environments=8, steps=8, epochs=1, discount=0.99, trace=0.95),
        optim=OptimConfig(lr=2.5e-3, schedule="linear"),
        trainer=TrainerConfig(steps=3000, batch_size=64, eval_every=500, log_every=100, precision="fp32"),
    )
