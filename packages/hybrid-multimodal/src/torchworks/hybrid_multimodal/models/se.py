"""Squeeze-and-Excitation: each channel is scaled by what the whole image says of it.

Hu, Shen & Sun 2018, "Squeeze-and-Excitation Networks" (arXiv:1709.01507).

    z = mean of x over all places                       (2)
    s = σ(W_2 act(W_1 z))                               (3)
    y_c = s_c x_c                                       (4)

Shapes: N images, C channels, H × W places, R reduced channels.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F


class SqueezeExcitation(nn.Module):
    """(N, C, H, W) to the same shape. Names and numbers are those of timm's `SEModule` and of torchvision's
    `SqueezeExcitation`."""

    def __init__(self, channels: int, reduced: int, act: Callable[[Tensor], Tensor] = F.relu):
        super().__init__()
        self.fc1, self.fc2, self.act = nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, channels, 1), act

    def forward(self, x: Tensor) -> Tensor:
        z = x.mean((2, 3), keepdim=True)
        return x * self.fc2(self.act(self.fc1(z))).sigmoid()
