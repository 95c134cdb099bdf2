"""Configuration of Q-learning. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from torchworks.shared.config import Amount, Config, Count, Limited, Share, UserError, limited


@dataclass(frozen=True)
class QNetConfig(Limited):
    """Sizes of the net of values."""

    group: ClassVar[str] = "net"

    width: Count = 128
    """Units of each hidden layer."""
    layers: Count = 2
    """Hidden layers."""
    dueling: bool = False
    """Whether the worth of a state and what an action adds to it have outputs of their own."""
    atoms: Count = 1
    """Values that a return may take (C51 has 51); 1 learns the mean alone."""
    low: float = 0.0
    """The smallest of these values."""
    high: float = 100.0
    """The largest."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.atoms > 1 and not self.low < self.high:
            raise UserError(f"--net.low {self.low:g} must be below --net.high {self.high:g}: returns lie between.")


@dataclass(frozen=True)
class ReplayConfig(Limited):
    """How steps are played, kept and drawn."""

    group: ClassVar[str] = "replay"

    environments: Count = 16
    """Environments that are stepped together."""
    updates: Count = 2
    """Batches that are learnt from between two steps of all environments."""
    capacity: Count = 50_000
    """Steps that are kept."""
    warmup: Count = 1_000
    """Steps of random play before the first batch."""
    discount: Annotated[float, *limited(0, 1, below=False)] = 0.99
    """γ: how much a reward counts if it comes a step later."""
    n_step: Count = 1
    """Rewards that are summed before the value of what follows is taken."""
    epsilon: Annotated[float, *limited(0, 1, below=False)] = 1.0
    """ε: probability of a random action at the start."""
    epsilon_end: Annotated[float, *limited(0, 1, below=False)] = 0.05
    """The same at the end of exploration."""
    explored: Share = 0.2
    """Share of the training in which ε falls from the one to the other."""
    alpha: Annotated[float, *limited(0, 1, below=False)] = 0.0
    """α: how much more often surprising steps are drawn (0: all alike)."""
    beta: Annotated[float, *limited(0, 1, below=False)] = 0.4
    """β: how much that is made up for at the start; at the end wholly."""


@dataclass(frozen=True)
class QConfig(Config):
    """An agent that learns the value of each action."""

    package: ClassVar[str] = "rl"
    build: ClassVar[str] = "torchworks.rl.q_learning.build:build"
    known_data: ClassVar[str] = "CartPole-v1 or another id of Gymnasium"
    convolutional: ClassVar[bool] = False

    data: str = "CartPole-v1"
    """The environment: an id of Gymnasium, or MODULE:ID for one that importing MODULE registers."""
    net: QNetConfig = field(default_factory=QNetConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    double: bool = True
    """Whether the net chooses what follows and the target only values it."""
    polyak: Annotated[float, *limited(0, 1, above=True, below=False)] = 0.01
    """How far the target moves to the net before each step; 1 is no target of its own."""
    max_norm: Amount = 10.0
    """Global norm that gradients are clipped to (0: not at all)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.replay.warmup > self.replay.capacity:
            raise UserError(
                f"--replay.warmup {self.replay.warmup} is more than --replay.capacity {self.replay.capacity} can keep. "
                "Choose a smaller warm-up."
            )
