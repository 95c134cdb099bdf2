"""Configuration of what is played, kept and drawn. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torchworks.rl.sizes import Environments, Kept
from torchworks.shared.config import Count, Limited, UserError, limited


@dataclass(frozen=True)
class ReplayConfig(Limited):
    """How steps are played, kept and drawn."""

    group: ClassVar[str] = "replay"

    environments: Environments = 16
    """Environments that are stepped together."""
    updates: Count = 2
    """Batches that are learnt from between two steps of all environments."""
    capacity: Kept = 50_000
    """Steps that are kept."""
    warmup: Count = 1_000
    """Steps of random play before the first batch."""
    discount: Annotated[float, *limited(0, 1, below=False)] = 0.99
    """γ: how much a reward counts if it comes a step later."""
    n_step: Count = 1
    """Rewards that are summed before the value of what follows is taken."""
    signs: bool = False
    """Whether only the sign of each reward is learnt from, so that one learning rate suits games of any score."""
    life_ends: bool = False
    """Whether a lost life counts as an end in what is learnt (Atari), though the game goes on."""
    hold: Count = 1
    """Steps for which the chance in play stays the same; more than one explores farther from where a policy stays."""
    alpha: Annotated[float, *limited(0, 1, below=False)] = 0.0
    """α: how much more often surprising steps are drawn (0: all alike)."""
    beta: Annotated[float, *limited(0, 1, below=False)] = 0.4
    """β: how much that is made up for at the start; at the end wholly."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup > self.capacity:
            raise UserError(
                f"--replay.warmup {self.warmup} is more than --replay.capacity {self.capacity} can keep. Choose a "
                "smaller warm-up."
            )
