"""The recipes of Q-learning. Their docstrings are what `list` prints."""

from torchworks.rl.memory.config import ReplayConfig
from torchworks.rl.q_learning.config import ExplorationConfig, QConfig, QNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def dqn() -> QConfig:
    """Double DQN: the value of each action, learnt from steps that are kept.

    rl train dqn

    CartPole, three seeds: return 499.6 ± 0.4 in 100 episodes (random actions 20, a rule written by hand 500), 52 to 54
    CPU s of one core of an AMD EPYC (torch 2.14.1, fp32).
    """
    return QConfig(
        recipe="dqn",
        replay=ReplayConfig(environments=16, updates=2, capacity=50_000, discount=0.99, n_step=10),
        optim=OptimConfig(lr=2e-3, schedule="linear"),
        polyak=0.02,
        trainer=TrainerConfig(steps=16_000, batch_size=128, eval_every=1000, log_every=100, precision="fp32"),
    )


def rainbow() -> QConfig:
    """DQN that is double, dueling, prioritized and distributional, with rewards of ten steps.

    rl train rainbow

    CartPole, three seeds: return 500 ± 0 in 100 episodes (random actions 20, a rule written by hand 500), 35 to 38 CPU
    s of one core of an AMD EPYC (torch 2.14.1, fp32). With rewards of three steps, as in the paper, and a target that
    lags twice as long: 470 ± 28.
    """
    return QConfig(
        recipe="rainbow",
        net=QNetConfig(dueling=True, atoms=51, high=100.0),
        replay=ReplayConfig(environments=16, updates=2, capacity=50_000, discount=0.99, n_step=10, alpha=0.5),
        optim=OptimConfig(lr=1e-3, schedule="linear"),
        polyak=0.02,
        trainer=TrainerConfig(steps=8000, batch_size=128, eval_every=1000, log_every=100, precision="fp32"),
    )


def dqn_atari() -> QConfig:
    """Double DQN on pixels, with the convolutions of Mnih et al. 2015; needs ale-py, which you install yourself.

    rl train dqn-atari --data ALE/Breakout-v5

    1,000,000 steps of play (4,000,000 frames), a fiftieth of the paper's: hours of a CPU, and never trained to its end
    here. docs/atari.md says what was tried.
    """
    return QConfig(
        recipe="dqn-atari",
        data="ALE/Pong-v5",
        net=QNetConfig(width=512, body="nature"),
        replay=ReplayConfig(environments=8, updates=2, capacity=100_000, warmup=20_000, discount=0.99, signs=True),
        exploration=ExplorationConfig(epsilon_end=0.05, explored=0.2),
        optim=OptimConfig(lr=1e-4, schedule="constant"),
        polyak=0.002,
        trainer=TrainerConfig(steps=250_000, batch_size=32, eval_every=25_000, log_every=100),
    )
