"""Exercises of lesson 25, anomaly. Put your code where `...` stands, then: make check-lesson NAME=anomaly"""

from torch import Tensor, nn


def anomaly_scores(model: nn.Module, x: Tensor) -> Tensor:
    """The reconstruction error of each sample (N,): the mean squared error over everything but the first axis.

    `x` is (N, D), (N, C, H, W) or of any other shape that begins with N. Measure in evaluation mode and without
    gradients, and leave the model in evaluation mode.
    """
    ...


def choose_threshold(normal_scores: Tensor, rate: float) -> float:
    """The lowest of these scores (N,) that at most a share `rate` of them exceeds, as a plain float.

    They are scores of normal samples that were held out of training. An alarm is a score above the threshold. With
    fewer than 1 / rate scores nothing is known of so rare an alarm: raise ValueError.
    """
    ...


def precision(base_rate: float, found: float, false_alarms: float) -> float:
    """The share of alarms that are right, if a share `base_rate` of all samples are anomalies.

    `found` is the share of anomalies that raise an alarm, `false_alarms` the share of normal samples that do. Where
    nothing raises an alarm, return NaN: no share of nothing is known.
    """
    ...
