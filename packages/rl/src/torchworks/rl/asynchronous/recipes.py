"""The recipe of asynchronous policies. Its docstring is what `list` prints."""

from torchworks.rl.asynchronous.config import AsynchronousConfig
from torchworks.rl.policies.config import RolloutConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def a3c() -> AsynchronousConfig:
    """A3C: two processes play and learn without waiting for each other; no training is like another.

    rl train a3c

    CartPole, three tries: return 361 ± 169 in 100 episodes (random actions 20, a rule 500; A2C 500 ± 0),
    31 to 35 CPU s of two cores of an AMD EPYC (torch 2.14.1, fp32). No faster than A2C there: use that.
    """
    return AsynchronousConfig(
        recipe="a3c",
        algorithm="a2c",
        rollout=RolloutConfig(environments=8, steps=8, epochs=1, discount=0.99, trace=0.95),
        optim=OptimConfig(lr=2.5e-3, schedule="linear"),
        trainer=TrainerConfig(steps=3000, batch_size=64, eval_every=1000, log_every=100, precision="fp32"),
    )
