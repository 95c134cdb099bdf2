"""Exercises of lesson 21, detection. Put your code where `...` stands, then: make check-lesson NAME=detection"""

from torch import Tensor

Box = tuple[float, float, float, float]
"""left, top, right, bottom"""


def iou(a: Box, b: Box) -> float:
    """The area that both boxes cover, divided by the area that either covers; 0 if they are apart or only touch."""
    ...


def suppress(boxes: list[Box], scores: list[float], most: float) -> list[int]:
    """The indices of the boxes that are kept, surest first (non-maximum suppression).

    The surest box is kept, and those that overlap it with an IoU above `most` are struck out; and so on with what is
    left. You may use `iou` from above.
    """
    ...


def average_precision(hits: Tensor, objects: int) -> float:
    """The area under precision by recall of a list of guesses, the surest first.

    `hits` (D,) is 1 for a guess that found one of the `objects`, and 0 for a false one. Each hit adds 1 / objects times
    the best precision at this place of the list or further down. No guesses: 0.
    """
    ...
