"""Features of images, by three convolutions and a dense layer.

Mnih et al. 2015, "Human-level control through deep reinforcement learning" (Nature 518), methods, "Model architecture":

    32 filters of 8 x 8, stride 4      64 of 4 x 4, stride 2      64 of 3 x 3, stride 1      512 units

each followed by a rectifier. There is no pooling, so that the net knows where things are. Of 84 x 84 pixels, 20 x 20,
9 x 9 and 7 x 7 are left, and the dense layer has 95 of 100 parameters.

What differs: weights start orthogonal (Saxe et al. 2014) with gain √2 and biases with 0, as in actor_critic.py.

Shapes: N observations, C images of H x W.
"""

import math
from itertools import pairwise

from torch import Tensor, nn

LEAST = 36
"""Pixels of a side that the three convolutions need."""
_CHANNELS, _KERNELS, _STRIDES = (32, 64, 64), (8, 4, 3), (4, 2, 1)


class NatureCNN(nn.Module):
    """Images (N, C, H, W), bytes or floats from 0 to `most`, to features (N, width)."""

    def __init__(self, shape: tuple[int, ...], *, width: int = 512, most: int = 255):
        super().__init__()
        channels, *sides = shape
        if min(sides) < LEAST:
            raise ValueError(f"Images must have at least {LEAST} x {LEAST} pixels, not {sides[0]} x {sides[1]}.")
        self.scale = 1.0 / (most or 1)
        layers: list[nn.Module] = []
        for (inputs, outputs), kernel, stride in zip(pairwise((channels, *_CHANNELS)), _KERNELS, _STRIDES, strict=True):
            layers += [_started(nn.Conv2d(inputs, outputs, kernel, stride)), nn.ReLU(inplace=True)]
            sides = [(side - kernel) // stride + 1 for side in sides]
        self.convolutions = nn.Sequential(*layers)
        self.dense = nn.Sequential(_started(nn.Linear(_CHANNELS[-1] * math.prod(sides), width)), nn.ReLU(inplace=True))

    def forward(self, observation: Tensor) -> Tensor:
        return self.dense(self.convolutions(observation * self.scale).flatten(1))


def _started(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    nn.init.orthogonal_(layer.weight, math.sqrt(2))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
