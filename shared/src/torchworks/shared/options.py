"""Command-line options that the commands of all packages share. Imports no torch, so that `--help` is quick."""

import math
import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from torchworks.shared.config import UserError

Run = Annotated[Path, Positional, arg(metavar="RUN", help="Run directory, the last line that `train` printed.")]
Images = Annotated[
    tuple[Path, ...], Positional, arg(metavar="IMAGES", help="Image files, or folders of them.", help_behavior_hint="")
]
Device = Annotated[str, arg(help="auto, cpu, cuda, cuda:N or mps.")]
Seed = Annotated[int, arg(metavar="N", help="Random seed; change it for different images.")]
Overwrite = Annotated[bool, arg(help="Replace files of the same names.")]


def check_number(option: str, value: float, low: float, high: float | None = None) -> None:
    """Raise `UserError`, which names the `option`, for a `value` below `low` or above `high`, infinite or NaN."""
    if not low <= value <= (sys.float_info.max if high is None else high):
        finite = " and finite" if isinstance(value, float) and not math.isfinite(value) else ""
        allowed = f"at least {low:,}{finite}" if high is None else f"from {low:,} to {high:,}"
        raise UserError(f"{option} is {value}; it must be {allowed}.")


def by_default(metavar: str, text: str) -> object:
    """Metadata of an option that may be left out; `text` says what happens then."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {text})")
