"""The course: lessons that run, exercises whose answers are checked, notebooks. See lessons/README.md."""

from torchworks.lessons.figures import save_figure

__all__ = ["save_figure"]
