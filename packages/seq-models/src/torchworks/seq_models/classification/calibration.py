"""How far a classifier's probabilities can be believed, and one number that makes them fit.

Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural networks" (arXiv:1706.04599): after training,
all logits are divided by one temperature, which is chosen to make held-out labels most probable (section 4.2). It
changes no prediction.

Shape letters: N texts, T tokens, K classes.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_TEMPERATURES = torch.logspace(-1, 1, 201)


@torch.no_grad()
def fitted_temperature(net: nn.Module, batches: Iterable[dict[str, Tensor]], field: str = "tokens") -> float:
    """Of 201 temperatures from 0.1 to 10, the one with the lowest mean negative log-likelihood on `batches`, with the
    fields `field`, which the net reads, and label (N,)."""
    was_training, device = net.training, next(net.parameters()).device
    net.eval()
    pairs = [(net(batch[field].to(device)).float().cpu(), batch["label"].cpu()) for batch in batches]
    net.train(was_training)
    logits, labels = (torch.cat(each) for each in zip(*pairs, strict=True))
    losses = torch.stack([F.cross_entropy(logits / temperature, labels) for temperature in _TEMPERATURES])
    return _TEMPERATURES[int(losses.argmin())].item()
