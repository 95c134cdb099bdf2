"""What precision and memory format recipes train with, where nothing is asked for."""

import pytest
import torch

from torchworks.diffusion.images import recipes
from torchworks.shared.machine import device as device_module
from torchworks.shared.training.experiment import device_for


@pytest.mark.parametrize(("recipe", "dtype"), [("flow", torch.bfloat16), ("dit", torch.float32)])
def test_on_a_cpu_with_bf16_u_nets_train_in_it_and_transformers_do_not_and_neither_in_channels_last(
    monkeypatch, recipe, dtype
):
    monkeypatch.setattr(device_module, "cpu_bf16", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = device_for(getattr(recipes, recipe)())
    assert (chosen.dtype, chosen.channels_last) == (dtype, False)
