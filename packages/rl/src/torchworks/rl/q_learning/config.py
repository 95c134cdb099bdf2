"""Configuration of Q-learning. Imports no torch, so that `--help` is quick."""

import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.rl.memory.config import ReplayConfig
from torchworks.rl.sizes import Layers, Units
from torchworks.shared.config import Amount, Config, Count, CountOrZero, Limited, Share, UserError, limited


@dataclass(frozen=True)
class QNetConfig(Limited):
    """Sizes of the net of values."""

    group: ClassVar[str] = "net"

    width: Units = 128
    """Units of each hidden layer."""
    layers: Layers = 2
    """Hidden layers."""
    dueling: bool = False
    """Whether the worth of a state and what an action adds to it have outputs of their own."""
    atoms: Units = 1
    """Values that a return may take (C51 has 51); 1 learns the mean alone."""
    low: float = 0.0
    """The smallest of these values."""
    high: float = 100.0
    """The largest."""
    channels: tuple[Units, ...] = (16, 32)
    """Channels of each convolution, for observations that are grids."""
    stride: Count = 1
    """How many times smaller each convolution's output is."""
    middle: CountOrZero = 0
    """Cells a side in the middle of a grid that the first dense layer sees as they are, beside the convolutions."""
    body: Literal["auto", "grid", "nature"] = "auto"
    """Convolutions for observations that are grids: those above, those of Mnih et al. 2015 for images (nature), or the
    latter from 36 x 36 on (auto)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.atoms > 1 and not -math.inf < self.low < self.high < math.inf:
            raise UserError(
                f"--net.low {self.low:g} must be below --net.high {self.high:g}, and both finite: returns lie between."
            )


@dataclass(frozen=True)
class ExplorationConfig(Limited):
    """How often a random action is taken instead of the best."""

    group: ClassVar[str] = "exploration"

    epsilon: Annotated[float, *limited(0, 1, below=False)] = 1.0
    """ε: probability of a random action at the start."""
    epsilon_end: Annotated[float, *limited(0, 1, below=False)] = 0.05
    """The same at the end of exploration."""
    explored: Share = 0.2
    """Share of the training in which ε falls from the one to the other."""


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
    exploration: ExplorationConfig = field(default_factory=ExplorationConfig)
    double: bool = True
    """Whether the net chooses what follows and the target only values it."""
    polyak: Annotated[float, *limited(0, 1, above=True, below=False)] = 0.01
    """How far the target moves to the net before each step; 1 is no target of its own."""
    max_norm: Amount = 10.0
    """Global norm that gradients are clipped to (0: not at all)."""
