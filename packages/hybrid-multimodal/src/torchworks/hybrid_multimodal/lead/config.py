"""Configuration of the recipe `lead`. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, Limited, Share


@dataclass(frozen=True)
class LeadNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    fusion: Literal["bearing", "late"] = "bearing"
    """How camera and range sensor meet. bearing: in the columns of one grid, before anything is averaged. late: each is
    one vector, and the two are joined at the end."""
    columns: Count = 16
    """Columns that both sensors are brought to."""
    widths: tuple[Count, ...] = (16, 32, 64, 64)
    """Channels of the camera's convolutions, multiples of 4."""
    width: Count = 64
    """Channels of the range sensor, and half of those of both."""


@dataclass(frozen=True)
class LeadConfig(Config):
    """The distance of the object that counts."""

    package: ClassVar[str] = "hybrid-multimodal"
    build: ClassVar[str] = "torchworks.hybrid_multimodal.lead.build:build"
    known_data: ClassVar[str] = "lead"

    data: str = "lead"
    """Scenes of a camera and a range sensor: lead, or lead:follow=lower."""
    sensors: Literal["both", "camera", "range"] = "both"
    """Train and answer with one sensor alone, to compare."""
    failures: Share = 0.1
    """Share of training scenes in which the camera is dark, and of those in which the range sensor is silent."""
    error_weight: Amount = 5.0
    """Weight of the mean answer's error beside the likelihood. Without it training may lose what it had found: once
    intervals are narrow, the few scenes in which they miss the truth outweigh all others."""
    name_digits: Amount = 0.0
    """Weight of a second loss, by which the camera learns to name the digit in each column (0: off). Needed where the
    digits say which object counts, as in lead:follow=lower."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.1
    """Share of the training scenes held out to select the best state."""
    net: LeadNetConfig = field(default_factory=LeadNetConfig)
