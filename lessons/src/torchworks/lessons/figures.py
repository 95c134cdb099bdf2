"""Where a lesson puts its figure."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "TORCHWORKS_LESSONS"
"""Environment variable: the folder of all lessons' figures."""


def folder_of(lesson: str) -> Path:
    """The folder of a lesson's outputs: `runs/lessons/LESSON`, or one that the environment variable names."""
    folder = Path(os.environ.get(FOLDER, "runs/lessons")) / lesson
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def save_figure(figure: "Figure", lesson: str) -> Path:
    """Save the figure of a lesson as `figure.png` in its folder, say where, and return the path."""
    path = folder_of(lesson) / "figure.png"
    figure.savefig(path, dpi=120, bbox_inches="tight")
    print(f"figure: {path}")
    return path
