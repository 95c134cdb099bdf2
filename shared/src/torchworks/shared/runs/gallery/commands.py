"""Command-line arguments of the gallery. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from torchworks.shared.options import by_default


@dataclass(frozen=True)
class Gallery:
    """Write one HTML page of all finished runs in a folder, to filter and compare them in a browser."""

    runs: Positional[Path] = Path("runs")
    """Folder that holds the runs, at any depth."""
    out: Annotated[Path | None, by_default("FILE", "RUNS/gallery.html")] = None
    """HTML file to write. A gallery of that name is replaced, any other file never."""
