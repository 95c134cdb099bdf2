"""Configuration of games against oneself. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from torchworks.rl.sizes import Environments, Kept, Layers, Searched, Units
from torchworks.shared.config import Amount, Config, Count, Limited, Share, UserError, limited


@dataclass(frozen=True)
class BoardNetConfig(Limited):
    """Sizes of the net."""

    group: ClassVar[str] = "net"

    channels: Units = 32
    """Channels of each convolution."""
    blocks: Layers = 2
    """Residual blocks, of two convolutions each."""


@dataclass(frozen=True)
class SelfPlayConfig(Limited):
    """How games are played, and what is kept of them."""

    group: ClassVar[str] = "play"

    boards: Environments = 256
    """Games that are played side by side."""
    search: Searched = 24
    """Positions that are looked at before each move."""
    explore: Annotated[float, *limited(0, above=True)] = 1.5
    """c: how much a search tries what it has looked at little."""
    noise: Share = 0.25
    """Share of chance in what a search first thinks of the moves of a position."""
    concentration: Annotated[float, *limited(0, above=True)] = 0.7
    """How even that chance is (of a Dirichlet distribution)."""
    opening: Amount = 8
    """Moves of a game that are drawn by how often a search tried them; later ones by the fourth power of that."""
    outcome: Annotated[float, *limited(0, 1, below=False)] = 0.5
    """Share of a game's outcome in what a position is taken to be worth; the rest is what the search thought."""
    capacity: Kept = 60_000
    """Positions that are kept, the newest."""
    warmup: Count = 3_000
    """Positions before the first batch."""
    updates: Count = 3
    """Batches that are learnt from between two moves on all boards."""


@dataclass(frozen=True)
class BoardGameConfig(Config):
    """A net that learns a board game from games between itself and itself, each move of which a search has improved."""

    package: ClassVar[str] = "rl"
    build: ClassVar[str] = "torchworks.rl.self_play.build:build"
    known_data: ClassVar[str] = "ConnectFour-v0"

    data: str = "ConnectFour-v0"
    """The game; there is one."""
    net: BoardNetConfig = field(default_factory=BoardNetConfig)
    play: SelfPlayConfig = field(default_factory=SelfPlayConfig)
    value_weight: Amount = 1.0
    """Weight of the value's loss beside the policy's."""
    decay: Amount = 1e-4
    """Decoupled weight decay, not applied to biases."""
    max_norm: Amount = 1.0
    """Global norm that gradients are clipped to (0: not at all)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data != "ConnectFour-v0":
            raise UserError(
                f"Games against oneself need a game whose rules for two this package knows, ConnectFour-v0, and "
                f"--data is {self.data}. Use the recipe ppo or dqn for other environments."
            )
        if self.play.warmup > self.play.capacity:
            raise UserError(
                f"--play.warmup {self.play.warmup} is more than --play.capacity {self.play.capacity} can keep. Choose "
                "a smaller warm-up."
            )
