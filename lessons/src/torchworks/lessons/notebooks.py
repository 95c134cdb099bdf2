"""The lessons as notebooks."""

from pathlib import Path

import jupytext

from torchworks.lessons.course import Lesson
from torchworks.lessons.figures import writing


def write_notebook(lesson: Lesson, folder: Path, *, overwrite: bool = False) -> tuple[Path, bool]:
    """Write a lesson as a notebook without outputs; its path, and whether it is now as the lesson is.

    A notebook that has the same cells stays as it is, with its outputs. One that has others, which a reader may have
    written, stays too, unless it is to be overwritten.
    """
    path = folder / f"{lesson.path.stem}.ipynb"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    notebook = jupytext.read(lesson.path, fmt="py:percent")
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    if path.exists() and not overwrite:
        return path, _cells(path) == [(cell.cell_type, cell.source) for cell in notebook.cells]
    with writing(path):
        jupytext.write(notebook, path, fmt="ipynb")
    return path, True


def _cells(path: Path) -> list[tuple[str, str]] | None:
    """The kind and text of each cell of a notebook; None if it cannot be read."""
    try:
        return [(cell.cell_type, cell.source) for cell in jupytext.read(path, fmt="ipynb").cells]
    except Exception:
        return None
