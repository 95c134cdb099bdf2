"""Exercises of lesson 5, loop. Put your code where `...` stands, then: make check-lesson NAME=loop"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def train_one_epoch(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], optimizer: torch.optim.Optimizer
) -> float:
    """Train a classifier on each batch once, in training mode, by cross entropy; the mean loss of the batches.

    A batch is (inputs, labels). Gradients that were there before must not count. The mean is a plain float.
    """
    ...


def evaluate(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The accuracy of a classifier, measured in evaluation mode and without gradients, as a plain float.

    Afterwards the model is in the mode in which it came: training or evaluation.
    """
    ...


def should_stop(history: list[float], patience: int) -> bool:
    """Whether the best score is `patience` evaluations or more ago. Higher is better; an equal score is no progress.

    [0.5, 0.7, 0.6] with patience 1: yes, the best one was followed by one that is no better. An empty history: no.
    """
    ...
