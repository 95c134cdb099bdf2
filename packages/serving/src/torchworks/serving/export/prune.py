"""Structured pruning: whole channels are taken out, so that tensors really shrink and any runtime gets faster.

Which channels depend on each other, through sums, concatenations and groups, is found by tracing (DepGraph: Fang et al.
2023, arXiv:2301.12900; the package torch-pruning). Which are taken is told by the weights alone (LAMP: Lee et al. 2021,
arXiv:2010.07611, over all layers at once). Afterwards batch normalisation is given the mean and variance of what now
reaches it; nothing is trained.
"""

import copy
from collections.abc import Iterable

import torch
import torch_pruning
from torch import Tensor, nn

from torchworks.serving.export.trained import parameters
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import Predictor

STEPS = 50
"""Steps to the limit `MOST`: each takes about 2 % of the channels."""
MOST = 0.9
"""No layer loses a larger share of its channels."""
BLOCK = 8
"""Channels are left in multiples of this, the width of the kernels that run them."""
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

Inputs = tuple[Tensor, ...]


def pruned(predictor: Predictor, share: float, inputs: Inputs, samples: Iterable[Inputs]) -> Predictor:
    """A copy without at least `share` (0 to 1) of the parameters; batch normalisation is re-estimated over `samples`.
    Raises `UserError` if the net cannot be taken apart."""
    smaller = copy.deepcopy(predictor).eval()
    hooks = [
        module.register_forward_pre_hook(_fit_instance_norm)
        for module in smaller.modules()
        if isinstance(module, INSTANCE_NORMS)
    ]
    try:
        shrink(smaller, share, inputs)
        with torch.no_grad():
            smaller(*inputs)
    except UserError:
        raise
    except Exception as error:  # whatever tracing a foreign net can raise
        raise UserError(
            f"This net cannot be pruned: the dependencies between its channels are not understood ({error}). Leave out "
            "--prune."
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    reestimate(smaller, samples)
    return smaller


def _fit_instance_norm(norm: nn.InstanceNorm2d, inputs: Inputs) -> None:
    """Without weights it has nothing to shrink, but it remembers the number of channels and warns of another one."""
    norm.num_features = inputs[0].shape[1]


def shrink(predictor: Predictor, share: float, inputs: Inputs) -> None:
    """Take channels out of `predictor` until `share` of its parameters are gone."""
    before = parameters(predictor, inputs)
    pruner = torch_pruning.pruner.BasePruner(
        predictor,
        inputs,  # ty: ignore[invalid-argument-type] (several are allowed, its annotation is too narrow)
        importance=torch_pruning.importance.LAMPImportance(),
        global_pruning=True,
        pruning_ratio=1.0,
        max_pruning_ratio=MOST,
        iterative_steps=STEPS,
        round_to=BLOCK,
        ignored_layers=[last_layer(predictor, inputs)],  # its channels are the answer
    )
    for _ in range(STEPS):
        pruner.step()
        if parameters(predictor, inputs) <= (1 - share) * before:
            return
    gone = 1 - parameters(predictor, inputs) / before
    raise UserError(f"Only {gone:.0%} of this net's weights can be removed in whole channels. Set a smaller --prune.")


def last_layer(net: nn.Module, inputs: Inputs) -> nn.Module:
    """The layer with weights that runs last."""
    order: list[nn.Module] = []
    layers = [module for module in net.modules() if isinstance(module, LAYERS)]
    hooks = [layer.register_forward_hook(lambda module, *_: order.append(module)) for layer in layers]
    try:
        with torch.no_grad():
            net(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return order[-1]


@torch.no_grad()
def reestimate(net: nn.Module, samples: Iterable[Inputs]) -> None:
    """Give each batch normalisation the mean and variance of `samples`, averaged over batches."""
    norms = [module for module in net.modules() if isinstance(module, NORMS)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # an average of all batches, not a moving one
        norm.train()
    for inputs in samples:
        net(*inputs)
    net.eval()
