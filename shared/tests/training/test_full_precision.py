"""Functions in full precision give float32's numbers under autocast, whatever they are given."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from torchworks.shared.training.full_precision import full_precision

HALVES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])


class Pair(NamedTuple):
    left: Tensor
    right: Tensor


@full_precision
def product(pair: Pair, options: dict[str, list[Tensor]], *, scale: float = 1.0) -> Tensor:
    """A matrix product, which autocast would take, beside a sum, which it would not."""
    both = pair.left @ pair.right
    return torch.zeros_like(both).scatter_add(1, options["where"][0], both) * scale


def operands(dtype: torch.dtype) -> tuple[Pair, dict[str, list[Tensor]]]:
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(6, 6, generator=generator).to(dtype) for _ in range(2))
    return Pair(left, right), {"where": [torch.arange(6).expand(6, 6)]}


@HALVES
def test_under_autocast_numbers_are_those_of_float32(dtype):
    pair, options = operands(dtype)
    expected = pair.left.float() @ pair.right.float() * 2
    with torch.autocast("cpu", dtype):
        assert (pair.left @ pair.right).dtype is dtype
        found = product(pair, options, scale=2.0)
        again = (pair.left @ pair.right).dtype
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, expected)
    assert again is dtype  # autocast goes on behind it


@HALVES
def test_gradients_reach_arguments_of_half_precision(dtype):
    layer, x = nn.Linear(6, 6), torch.randn(4, 6)
    with torch.autocast("cpu", dtype):
        out = layer(x)
        loss = product(Pair(out, layer.weight), {"where": [torch.arange(6).expand(4, 6)]}).sum()
    loss.backward()
    assert layer.weight.grad.isfinite().all()
    assert layer.weight.grad.any()


def test_without_autocast_the_function_is_left_as_it_is():
    pair, options = operands(torch.float64)
    assert product(pair, options).dtype is torch.float64
    pair, options = operands(torch.bfloat16)
    assert product(pair, options).dtype is torch.bfloat16


def test_exported_programs_hold_the_plain_function():
    class Net(nn.Module):
        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return product(Pair(left, right), {"where": [torch.arange(6).expand(6, 6)]})

    pair, options = operands(torch.float32)
    program = torch.export.export(Net(), tuple(pair))
    assert not any("autocast" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(*pair), product(pair, options))
