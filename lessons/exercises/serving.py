"""Exercises of lesson 27, serving. Put your code where `...` stands, then: make check-lesson NAME=serving"""

from torch import Tensor, nn


def read_image(body: object) -> Tensor:
    """The image of a request's decoded JSON, uint8 (1, 8, 8).

    Right is an object with the one field `image`: a list of 8 lists of 8 whole numbers from 0 to 255. For anything else
    raise ValueError, never another error, with a sentence that says what is wrong. True and 3.0 are no whole numbers.
    """
    ...


def answer(model: nn.Module, images: Tensor, most: int) -> list[dict]:
    """What a service answers to N images: {"label": class number, "probability": its probability} for each.

    `model` (N, …) → logits (N, K) may come in any mode, and is called in evaluation mode, without gradients, with at
    most `most` rows at a time. The answer is what JSON can write: whole numbers and floats of Python.
    """
    ...


def next_batch(waiting: list[int], most: int) -> int:
    """How many of the requests that wait, from the first on, are computed together.

    `waiting` are their rows, in the order in which they came. Together they have at most `most` rows; nobody is
    overtaken. A request that is larger than `most` is computed alone, or it would wait for ever. Nobody waits: 0.
    """
    ...
