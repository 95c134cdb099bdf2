"""Where a lesson puts its figure."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from torchworks.shared.config import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "TORCHWORKS_LESSONS"
"""Environment variable: the folder of all lessons' figures."""


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Raises `UserError` if nothing can be written there."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{place} cannot be written: {error.strerror or error}. Make room or permission there, or move away what "
            "stands in its place."
        ) from error


def folder_of(lesson: str) -> Path:
    """The folder of a lesson's outputs: `runs/lessons/LESSON`, or one that the environment variable names."""
    folder = Path(os.environ.get(FOLDER, "runs/lessons")) / lesson
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def save_figure(figure: "Figure", lesson: str) -> Path:
    """Save the figure of a lesson as `figure.png` in its folder, say where, and return the path."""
    path = folder_of(lesson) / "figure.png"
    with writing(path):
        figure.savefig(path, dpi=120, bbox_inches="tight")
    print(f"figure: {path}")
    return path
