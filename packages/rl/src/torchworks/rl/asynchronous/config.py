"""Configuration of policies learnt by several workers. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import ClassVar

from torchworks.rl.policies.config import PolicyConfig
from torchworks.rl.sizes import Workers
from torchworks.shared.config import UserError


@dataclass(frozen=True)
class AsynchronousConfig(PolicyConfig):
    """A policy that several processes learn without waiting for each other. How they overtake each other decides, so
    that no training of more than one worker can be repeated exactly, or continued exactly."""

    build: ClassVar[str] = "torchworks.rl.asynchronous.build:build"

    workers: Workers = 2
    """Processes that play, each in its own --rollout.environments."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.algorithm == "ppo":
            raise UserError(
                "Workers learn from each step once, and PPO does so several times. Leave out --algorithm, or use the "
                "recipe ppo."
            )
