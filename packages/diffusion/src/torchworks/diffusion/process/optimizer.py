"""The optimizer of a diffusion model: AdamW, or Muon for what lies between the first and the last layer.

Muon learns what a condition means in far fewer steps than AdamW: it steps as far in directions that gradients seldom
have, such as "the second shape is blue", as in those that they always have, such as "less noise" (Jordan et al. 2024).
A step of it takes about a third longer.
"""

from collections.abc import Iterator
from typing import Protocol

from torch import nn
from torch.optim import Optimizer

from torchworks.shared.config import OptimConfig
from torchworks.shared.training.optim import Muon, adamw, parameter_groups

ENDS = ("conv_in", "conv_out", "pos_embed.proj", "proj_out_2")
"""Names of the layers that read pixels, and of those that make them."""


class Optimized(Protocol):
    """What a configuration says of the optimizer."""

    @property
    def optim(self) -> OptimConfig: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def betas(self) -> tuple[float, float]: ...
    @property
    def muon_lr(self) -> float: ...


def optimizer_of(net: nn.Module, config: Optimized) -> Optimizer:
    """AdamW for all parameters of `net` that are trained, or with a `muon_lr` Muon for its `inner` ones."""
    lr, decay, trained = config.optim.lr, config.weight_decay, [p for p in net.parameters() if p.requires_grad]
    if not config.muon_lr:
        return adamw(parameter_groups(trained, lr, decay), lr=lr, betas=config.betas)
    inside = list(inner(net))
    chosen = {*inside}
    outside = parameter_groups((p for p in trained if p not in chosen), lr, decay)
    muon = {"params": inside, "orthogonal": True, "lr": config.muon_lr, "weight_decay": decay}
    return Muon([muon, *({**group, "betas": config.betas} for group in outside)], lr=lr)


def inner(net: nn.Module) -> Iterator[nn.Parameter]:
    """The trained matrices and kernels that turn channels into channels: none of embeddings, which are tables, nor of
    `ENDS`."""
    for path, layer in net.named_modules():
        if isinstance(layer, nn.Embedding) or path.endswith(ENDS):
            continue
        for name, parameter in layer.named_parameters(recurse=False):
            if name.endswith("weight") and parameter.ndim > 1 and parameter.requires_grad:
                yield parameter
