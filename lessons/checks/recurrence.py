"""Checks of the exercises of lesson 11."""

import torch

from torchworks.lessons.checking import expect, expect_close


def gru_step(answer):
    cell = torch.nn.GRUCell(4, 3)
    x, h = torch.randn(5, 4), torch.randn(5, 3)
    with torch.no_grad():
        given = answer(x, h, cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
        hint = "The reset gate multiplies Vn h + cn, bias included; and z keeps the old state, 1 - z takes the new one."
        expect_close(given, cell(x, h), hint)


def last_outputs(answer):
    outputs = torch.arange(24.0).view(2, 4, 3)
    given = answer(outputs, torch.tensor([2, 4]))
    wanted = torch.stack([outputs[0, 1], outputs[1, 3]])
    expect_close(given, wanted, "Sequences of length 2 and 4 end at steps 1 and 3, counted from 0.")
    expect_close(answer(outputs, torch.tensor([1, 1])), outputs[:, 0], "These were two sequences of a single step.")


def clip_gradients(answer):
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([[4.0]])]  # a common norm of 5
    given = answer([gradient.clone() for gradient in gradients], 1.0)
    expect(isinstance(given, list) and len(given) == 2, "return a list with as many tensors")
    hint = "The norm of all together is 5, so each is divided by 5: the direction stays."
    expect_close(given[0], torch.tensor([0.6, 0.0]), hint)
    expect_close(given[1], torch.tensor([[0.8]]), hint)
    kept = answer([gradient.clone() for gradient in gradients], 10.0)
    expect_close(kept[0], gradients[0], "The limit was 10 and the norm 5: short gradients stay, they do not grow.")
