"""Checks of the exercises of lesson 5."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from torchworks.lessons.checking import expect, expect_close


class _Witness(nn.Module):
    """A linear classifier that notes in which mode, and with or without gradients, it is called."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.modes, self.recorded = [], []

    def forward(self, x):
        self.modes.append(self.training)
        self.recorded.append(torch.is_grad_enabled())
        return self.linear(x)


def train_one_epoch(answer):
    model = _Witness()
    twin = copy.deepcopy(model)
    batches = [(torch.randn(8, 4), torch.randint(3, (8,))) for _ in range(4)]
    losses, optimizer = [], torch.optim.SGD(twin.parameters(), lr=0.5)
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(twin(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()  # as an evaluation leaves it
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)  # left over
    given = answer(model, batches, torch.optim.SGD(model.parameters(), lr=0.5))
    expect(bool(model.modes), "the model was never called")
    expect(all(model.modes), "the model was not in training mode: model.train() comes first")
    hint = "Each batch: clear gradients, loss, backward, step. Gradients left over from before must not count."
    expect_close(model.linear.weight, twin.linear.weight, f"These were the weights after the epoch. {hint}")
    expect(
        isinstance(given, float), f"expected the mean loss as a plain float, got a {type(given).__name__}: use .item()"
    )
    expect_close(given, sum(losses) / 4, "This was the mean loss of the four batches.")


def evaluate(answer):
    x, y = torch.randn(20, 4), torch.randint(3, (20,))
    for training in (True, False):
        model = _Witness().train(training)
        given = answer(model, x, y)
        expect(bool(model.modes), "the model was never called")
        expect(not any(model.modes), "the model was measured in training mode: model.eval() comes first")
        expect(not any(model.recorded), "gradients were recorded: use torch.no_grad()")
        before, after = ("training" if mode else "evaluation" for mode in (training, model.training))
        expect(before == after, f"the model came in {before} mode and was left in {after} mode")
        wanted = (model.linear(x).argmax(dim=1) == y).float().mean().item()
        expect(isinstance(given, float), f"expected a plain float, got a {type(given).__name__}: use .item()")
        expect_close(given, wanted, "The share of samples whose highest score is that of their label.")


def should_stop(answer):
    cases = [
        ([], 1, False),
        ([0.5], 1, False),
        ([0.5, 0.7, 0.6], 1, True),
        ([0.5, 0.7, 0.6], 2, False),
        ([0.7, 0.6, 0.5, 0.8], 2, False),
        ([0.7, 0.7, 0.7], 2, True),
        ([0.9, 0.5, 0.6, 0.7], 3, True),
        ([0.9, 0.5, 0.6], 1, True),
    ]
    for history, patience, wanted in cases:
        given = answer(list(history), patience)
        expect(given is not None, "it returned None; is a `return` missing?")
        expect(
            given == wanted, f"{history} with patience {patience}: expected {wanted}; count what follows the best one"
        )
