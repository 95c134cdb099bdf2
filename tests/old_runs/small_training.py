"""Run a command of a package with weights and gradients that compress: `small_training.py PACKAGE COMMAND …`.

When the first optimiser is made, each tensor of weights becomes a repetition of one row of 0 and ±s; of gradients all
but the largest entries become 0 and the others ±s. A net of a million weights, with the state of its optimiser, is then
some ten kilobytes compressed. Nothing else of the training, of its files and of their format is changed.
"""

import runpy
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

PERIOD = 1009
"""Length of the row: a prime, so that filters differ."""
KEPT = 2000
"""One of so many entries of a gradient is kept."""


@torch.no_grad()
def repeated(weights: Tensor) -> Tensor:
    """A repetition of one row, with the mean square of `weights`."""
    if weights.ndim < 2:
        return weights
    row = torch.randint(-1, 2, (PERIOD,), generator=torch.Generator().manual_seed(0)).float()
    size = (weights.square().mean() / row.square().mean()).sqrt().bfloat16().float()
    return size * row.repeat(-(-weights.numel() // PERIOD))[: weights.numel()].view_as(weights)


@torch.no_grad()
def coarse(gradient: Tensor) -> Tensor:
    """The largest entries of `gradient` as ±s, the others 0; its mean square stays."""
    if gradient.ndim < 2:
        return gradient
    least = gradient.abs().flatten().topk(1 + gradient.numel() // KEPT).values[-1]
    kept = (gradient.abs() >= least) * gradient.sign()
    return kept * (gradient.square().sum() / kept.abs().sum().clamp(min=1)).sqrt().bfloat16().float()


def main() -> None:
    plain = Optimizer.__init__
    made: list[Optimizer] = []

    def init(self: Optimizer, params: object, defaults: dict) -> None:
        plain(self, params, defaults)
        made.append(self)
        for parameter in (p for group in self.param_groups for p in group["params"]):
            if len(made) == 1:
                parameter.data.copy_(repeated(parameter.data))
                parameter.register_hook(coarse)

    Optimizer.__init__ = init
    package = sys.argv[1]
    sys.argv = [package, *sys.argv[2:]]  # what the run notes as its command
    folder = f"torchworks.{package.replace('-', '_')}"
    runpy.run_module(folder, run_name="__main__")


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    main()
