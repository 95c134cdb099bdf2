"""Checks of the exercises of lesson 7."""

import torch
from torch import nn

from torchworks.lessons.checking import expect


def strip_prefix(answer):
    state = {"module.0.weight": torch.ones(2), "module.module.bias": torch.zeros(1), "my.module.scale": torch.ones(1)}
    before = list(state)
    given = answer(state, "module.")
    expect(list(state) == before, "the state itself was changed; return a new dictionary")
    expect(isinstance(given, dict), "return a dictionary of names and tensors")
    wanted = ["0.weight", "module.bias", "my.module.scale"]
    expect(list(given) == wanted, f"got the names {list(given)}, expected {wanted}: once, and only from the front")
    expect(given["0.weight"] is state["module.0.weight"], "the tensors are to stay the same")


def load_matching(answer):
    torch.manual_seed(1)
    old = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 10))
    new = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    head = new[2].weight.detach().clone()
    state = old.state_dict() | {"3.weight": torch.ones(1)}
    given = answer(new, state)
    expect(torch.equal(new[0].weight, old[0].weight), "the first layer fits and was not loaded")
    expect(torch.equal(new[2].weight, head), "the last layer does not fit and was changed all the same")
    expect(given is not None, "it returned None; is a `return` missing?")
    expect(list(given) == ["2.bias", "2.weight"], f"expected ['2.bias', '2.weight'] as left without, got {given}")


def freeze_except(answer):
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    given = answer(net, ["2."])
    open_ones = [name for name, value in net.named_parameters() if value.requires_grad]
    expect(open_ones == ["2.weight", "2.bias"], f"with ['2.'] only the last layer may learn, but {open_ones} can")
    expect(given != 2, "count numbers, not tensors: numel()")
    expect(given == 8, f"the last layer has 3 * 2 weights and 2 biases, 8 numbers; got {given}")
    answer(net, ["0.", "2."])
    hint = "what was frozen before and is named now must learn again: set requires_grad both ways"
    expect(all(value.requires_grad for value in net.parameters()), hint)
