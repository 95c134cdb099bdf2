"""Command-line arguments of `models`, which packages with oracles have. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, configure

from torchworks.shared.options import by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Models:
    """List the nets of this package."""

    parity: bool = False
    """Compare each net with the library that has it: keys, outputs, gradients, exports. Takes minutes."""
    readme: Annotated[Path | None, by_default("FILE", "none")] = None
    """With --parity: also write the table into a Markdown file, between the lines <!-- models --> and
    <!-- /models -->."""
