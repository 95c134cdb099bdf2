"""Configuration of policies learnt on their own episodes. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.rl.sizes import Environments, Kept, Layers, Units
from torchworks.shared.config import Amount, Config, Count, CountOrZero, Limited, UserError, limited


@dataclass(frozen=True)
class PolicyNet(Limited):
    """Sizes of the two nets, which share a body if observations are grids."""

    group: ClassVar[str] = "net"

    width: Units = 64
    """Units of each hidden layer."""
    layers: Layers = 2
    """Hidden layers (with a memory: one)."""
    memory: Annotated[int, *limited(0, 16_384, below=False)] = 0
    """Units of an LSTM behind them, by which each net remembers an episode (0: none)."""
    channels: tuple[Units, ...] = (16, 32)
    """Channels of each convolution, for observations that are grids."""
    stride: Count = 1
    """How many times smaller each convolution's output is."""
    middle: CountOrZero = 0
    """Cells a side in the middle of a grid that the first dense layer sees as they are, beside the convolutions."""
    body: Literal["auto", "grid", "nature"] = "auto"
    """Convolutions for observations that are grids: those above, those of Mnih et al. 2015 for images (nature), or the
    latter from 36 x 36 on (auto)."""


MOST_STEPS = 10_000_000
"""Of a round."""


@dataclass(frozen=True)
class RolloutConfig(Limited):
    """What is played before each round of learning, and what it is worth."""

    group: ClassVar[str] = "rollout"

    environments: Environments = 16
    """Environments that are stepped together, in each process."""
    steps: Kept = 64
    """Steps of each in a round."""
    epochs: Count = 8
    """Passes through the steps of a round; more than one only with PPO."""
    discount: Annotated[float, *limited(0, 1, below=False)] = 0.99
    """γ: how much a reward counts if it comes a step later."""
    trace: Annotated[float, *limited(0, 1, below=False)] = 0.95
    """λ: 1 trusts what was played to its end, 0 trusts the value of the next observation."""
    signs: bool = False
    """Whether only the sign of each reward is learnt from, so that one learning rate suits games of any score."""
    life_ends: bool = False
    """Whether a lost life counts as an end in what is learnt (Atari), though the game goes on."""
    normalize: bool = True
    """Whether the advantages of each batch are brought to mean 0 and standard deviation 1."""


@dataclass(frozen=True)
class PolicyConfig(Config):
    """A policy that learns by the episodes it has just played."""

    package: ClassVar[str] = "rl"
    build: ClassVar[str] = "torchworks.rl.policies.build:build"
    known_data: ClassVar[str] = "CartPole-v1 or another id of Gymnasium"
    convolutional: ClassVar[bool] = False

    data: str = "CartPole-v1"
    """The environment: an id of Gymnasium, or MODULE:ID for one that importing MODULE registers."""
    algorithm: Literal["ppo", "a2c", "reinforce"] = "ppo"
    """What the policy learns by."""
    net: PolicyNet = field(default_factory=PolicyNet)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    ppo_clip: Annotated[float, *limited(0, above=True)] = 0.2
    """ε: how far from 1 the ratio of probabilities may gain (PPO)."""
    value_weight: Amount = 0.5
    """Weight of the value's loss beside the policy's."""
    entropy_weight: Amount = 0.0
    """Weight of the entropy of the actions, which keeps the policy from deciding early."""
    entropy_end: Annotated[float, *limited(0, 1, below=False)] = 1.0
    """Share of this weight that is left at the last step; it falls in a line."""
    max_norm: Amount = 0.5
    """Global norm that gradients are clipped to (0: not at all)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.algorithm != "ppo" and self.rollout.epochs > 1:
            raise UserError(
                f"--algorithm {self.algorithm} learns from each step once, since its gradient is that of the policy "
                "that played. Set --rollout.epochs 1, or use --algorithm ppo."
            )
        rows = self.rollout.environments * self.rollout.steps
        if rows > MOST_STEPS:
            raise UserError(
                f"A round has --rollout.environments {self.rollout.environments} x --rollout.steps "
                f"{self.rollout.steps} = {rows:,} steps, all of which are played before the first step of learning. "
                f"Choose at most {MOST_STEPS:,}."
            )
        if rows % self.trainer.batch_size:
            raise UserError(
                f"A round has --rollout.environments {self.rollout.environments} x --rollout.steps "
                f"{self.rollout.steps} = {rows} steps, which --trainer.batch-size {self.trainer.batch_size} does not "
                "divide. Choose one that does."
            )
        if self.net.memory and self.trainer.batch_size % self.rollout.steps:
            raise UserError(
                f"With --net.memory a batch has whole sequences of --rollout.steps {self.rollout.steps} steps, but "
                f"--trainer.batch-size {self.trainer.batch_size} is no multiple of that. Choose one."
            )
