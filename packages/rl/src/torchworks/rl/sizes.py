"""How large what is configured may be: beyond this a machine would be busy forever, or full, before the first step.
Imports no torch, so that `--help` is quick."""

from typing import Annotated

from torchworks.shared.config import limited

Units = Annotated[int, *limited(1, 16_384, below=False)]
"""Units of a layer, channels, values of a distribution."""
Layers = Annotated[int, *limited(1, 64, below=False)]
Environments = Annotated[int, *limited(1, 10_000, below=False)]
"""Environments, or boards, that are stepped together."""
Kept = Annotated[int, *limited(1, 100_000_000, below=False)]
"""Steps that are played or kept."""
Searched = Annotated[int, *limited(1, 10_000, below=False)]
"""Positions looked at before a move."""
Workers = Annotated[int, *limited(1, 256, below=False)]
"""Processes."""
