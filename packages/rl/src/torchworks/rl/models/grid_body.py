"""Features of a grid of numbers: a few convolutions, then dense layers.

Mnih et al. 2015, "Human-level control through deep reinforcement learning" (Nature 518), methods: convolutions without
pooling, so that a net knows where things are, flattened into a dense layer. Their three convolutions are for 84 x 84
pixels; a board of some ten cells a side needs few channels of 3 x 3 and no stride, as Young & Tian 2019 have it
("MinAtar", arXiv:1903.03176). Each layer is followed by a rectifier.

What differs: weights start orthogonal (Saxe et al. 2014) with gain √2 and biases with 0, as in actor_critic.py.

Shapes: N observations, C planes of H x W.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


class GridBody(nn.Module):
    """Grids (N, C, H, W) to features (N, width). Their numbers are divided by `most`, if that is not 0, so that those
    of bytes lie in [0, 1]. `stride` makes each convolution's output so many times smaller. The first dense layer also
    sees the `middle` x `middle` cells in the middle as they are."""

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        channels: tuple[int, ...] = (16, 32),
        stride: int = 1,
        middle: int = 0,
        width: int = 128,
        layers: int = 1,
        most: int = 0,
    ):
        super().__init__()
        planes, height, columns = shape
        self.scale = 1.0 / (most or 1)
        self.middle = tuple(slice((side - middle) // 2, (side + middle) // 2) for side in (height, columns))
        convolutions = []
        for inputs, outputs in pairwise((planes, *channels)):
            convolutions += [_started(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)), nn.ReLU(inplace=True)]
            height, columns = -(-height // stride), -(-columns // stride)
        self.convolutions = nn.Sequential(*convolutions)
        features = (channels[-1] if channels else planes) * height * columns + planes * middle**2
        sizes = [features, *[width] * layers]
        self.dense = nn.Sequential(
            *(layer for a, b in pairwise(sizes) for layer in (_started(nn.Linear(a, b)), nn.ReLU(inplace=True)))
        )

    def forward(self, observation: Tensor) -> Tensor:
        seen = observation * self.scale
        features = self.convolutions(seen).flatten(1)
        near = seen[:, :, *self.middle].flatten(1)
        return self.dense(torch.cat([features, near], 1))


def _started(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    nn.init.orthogonal_(layer.weight, math.sqrt(2))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
