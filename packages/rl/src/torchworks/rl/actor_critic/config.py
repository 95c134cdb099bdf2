"""Configuration of actors whose actions are numbers. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.rl.memory.config import ReplayConfig
from torchworks.rl.sizes import Layers, Units
from torchworks.shared.config import Amount, Config, Count, Limited, UserError, limited


@dataclass(frozen=True)
class ActorNet(Limited):
    """Sizes of the policy and of each critic."""

    group: ClassVar[str] = "net"

    width: Units = 256
    """Units of each hidden layer."""
    layers: Layers = 2
    """Hidden layers."""


@dataclass(frozen=True)
class ActorConfig(Config):
    """A policy that climbs what two critics say, learnt from kept steps."""

    package: ClassVar[str] = "rl"
    build: ClassVar[str] = "torchworks.rl.actor_critic.build:build"
    known_data: ClassVar[str] = "Pendulum-v1 or another id of Gymnasium"
    convolutional: ClassVar[bool] = False

    data: str = "Pendulum-v1"
    """The environment: an id of Gymnasium, or MODULE:ID for one that importing MODULE registers."""
    algorithm: Literal["sac", "td3"] = "sac"
    """What the actor learns by."""
    net: ActorNet = field(default_factory=ActorNet)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    polyak: Annotated[float, *limited(0, 1, above=True, below=False)] = 0.005
    """How far the targets move to their nets before each step."""
    noise: Amount = 0.1
    """Standard deviation of what is added to actions in play, of half their range (TD3; SAC's actions vary by
    themselves)."""
    color: Annotated[float, *limited(0, 3, below=False)] = 0.0
    """β: how slowly chance in play changes, whose power falls as 1 / frequency^β; 0 is new in each step, 1 pink noise,
    which explores farther."""
    smoothing: Amount = 0.2
    """The same for the actions by which targets are taken, at most two and a half times it (TD3)."""
    delay: Count = 2
    """Steps of the critics for each of the policy (TD3; SAC takes both each time)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.color and self.replay.hold > 1:
            raise UserError("Both --color and --replay.hold make chance in play last. Leave out one of them.")
        if self.replay.alpha:
            raise UserError(
                "Two critics are surprised by different steps, so steps are drawn alike here. Leave out "
                "--replay.alpha, or use the recipe dqn."
            )
