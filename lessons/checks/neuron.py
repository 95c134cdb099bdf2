"""Checks of the exercises of lesson 3."""

import torch
from torch.nn import functional as F

from torchworks.lessons.checking import expect, expect_close, expect_shape


def neuron(answer):
    x, weight, bias = torch.randn(6, 3), torch.randn(3), torch.tensor(0.7)
    given = answer(x, weight, bias)
    expect_shape(given, (6,), "One probability a row: a matrix times a vector is a vector.")
    expect(((given >= 0) & (given <= 1)).all(), "a probability lies between 0 and 1; is the sigmoid missing?")
    expect_close(given, torch.sigmoid(x @ weight + bias), "Weighted sum, plus bias, and then the sigmoid.")


def cross_entropy(answer):
    logits, labels = torch.randn(5, 4), torch.tensor([0, 3, 1, 1, 2])
    given = answer(logits, labels)
    expect_close(given, F.cross_entropy(logits, labels), "Minus the log of the truth's probability, mean over samples.")
    large = torch.tensor([[1000.0, 0.0], [0.0, 1000.0]])
    hint = "Subtract the largest logit of each row first: the probabilities stay the same."
    expect_close(answer(large, torch.tensor([0, 1])), 0.0, f"These were logits of 1000 for the truth. {hint}")
    expect_close(answer(large, torch.tensor([1, 0])), 1000.0, f"These were logits of 1000 for the other class. {hint}")


def count_weights(answer):
    given = answer([4, 8, 3])
    expect(given != 4 * 8 + 8 * 3, "[4, 8, 3] gave 56: the biases are missing, one for each neuron")
    expect(given == 67, f"[4, 8, 3] gave {given}; the first layer has 4 * 8 weights and 8 biases")
    expect(answer([10, 2]) == 22, "[10, 2] has one layer of 10 * 2 weights and 2 biases")
