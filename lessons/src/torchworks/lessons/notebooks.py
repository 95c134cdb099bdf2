"""The lessons as notebooks."""

from pathlib import Path

import jupytext

from torchworks.lessons.course import Lesson


def write_notebook(lesson: Lesson, folder: Path) -> Path:
    """Write a lesson as a notebook without outputs, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{lesson.path.stem}.ipynb"
    notebook = jupytext.read(lesson.path, fmt="py:percent")
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    jupytext.write(notebook, path, fmt="ipynb")
    return path
