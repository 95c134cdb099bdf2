"""Checks of the exercises of lesson 25."""

import math

import torch
from torch import nn

from torchworks.lessons.checking import expect, expect_close, expect_shape


class _Halves(nn.Module):
    """Gives back half of its input, with dropout as in training, and notes how it is called."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.recorded = []

    def forward(self, x):
        self.recorded.append(torch.is_grad_enabled())
        return self.dropout(x * self.weight)


def anomaly_scores(answer):
    for shape in ((5, 6), (4, 3, 2, 2)):
        model, x = _Halves().train(), torch.randn(*shape)
        given = answer(model, x)
        wanted = (x / 2).square().flatten(1).mean(1)
        expect_shape(given, (shape[0],), f"One score for each of the {shape[0]} samples of x {shape}.")
        expect(bool(model.recorded), "the model was never called")
        expect(not model.training, "the model was measured in training mode: model.eval() comes first")
        expect(not any(model.recorded), "gradients were recorded: use torch.no_grad()")
        expect_close(given, wanted, f"The mean over all but the first axis of x {shape}, of the squared differences.")


def choose_threshold(answer):
    scores = torch.tensor([0.3, 0.9, 0.1, 0.5, 0.7, 0.2, 0.8, 0.4, 0.6, 1.0])
    for rate, wanted, why in (
        (0.2, 0.8, "0.9 and 1.0 lie above, which is two of ten"),
        (0.1, 0.9, "1.0 alone lies above"),
        (0.25, 0.8, "two of ten lie above; three would be more than a quarter"),
    ):
        given = answer(scores.clone(), rate)
        expect(isinstance(given, float), f"expected a plain float, got a {type(given).__name__}: use .item()")
        expect_close(given, wanted, f"0.1, 0.2, …, 1.0 with a rate of {rate}: {wanted}; {why}.")
    many = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    above = int((many > answer(many.clone(), 0.01)).sum())
    expect(above == 10, f"10 of 1000 scores should lie above the threshold for a rate of 0.01; there are {above}")
    try:
        given = answer(scores.clone(), 0.01)
    except ValueError:
        return
    expect(False, f"10 scores cannot set a rate of 0.01, and it gave {given}: raise ValueError")


def precision(answer):
    for base_rate, found, false_alarms, wanted, why in (
        (0.5, 1.0, 0.0, 1.0, "no alarm is false"),
        (0.5, 0.8, 0.2, 0.8, "as many anomalies as normal samples: 0.8 right to 0.2 false"),
        (
            0.01,
            0.9,
            0.05,
            9 / 58.5,
            "of 1000 samples 9 of 10 anomalies raise an alarm, and 49.5 normal ones",
        ),
        (0.001, 1.0, 0.01, 1 / 10.99, "one anomaly in 1000, found; ten normal ones raise an alarm"),
    ):
        given = answer(base_rate, found, false_alarms)
        expect(isinstance(given, int | float), f"expected a plain number, got a {type(given).__name__}")
        hint = f"base rate {base_rate}, found {found}, false alarms {false_alarms}: {why}."
        expect_close(float(given), wanted, hint)
    given = answer(0.01, 0.0, 0.0)
    expect(
        isinstance(given, float) and math.isnan(given),
        f"without any alarm there is no share of right ones: expected NaN, got {given}",
    )
