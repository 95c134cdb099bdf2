"""A convolutional net that sees frames one by one, and an LSTM that remembers them.

Donahue et al. 2015, "Long-term Recurrent Convolutional Networks for Visual Recognition and Description"
(arXiv:1411.4389), figure 3, activity recognition.

The idea: each frame becomes a vector by the same net, and a recurrent net reads the vectors in their order:

    h_t, c_t = LSTM(φ(x_t), h_{t−1}, c_{t−1})

What differs: the paper averages what all h_t say; here the last one decides, which an action that is known only at its
end needs. The paper has one net for frames and one for optical flow; here one net sees a frame and its difference from
the frame before. Without that difference a net of this size took which way a digit turns for a matter of chance (.71
and .27 of its films right after 800 steps of 64, where it read all movements). φ is three small strided convolutions
here, CaffeNet there.

Shapes: N films, C channels, T frames, H × W pixels, F features of a frame, K classes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CELLS = 4
"""Cells along a side of the map that becomes a frame's vector: where things are matters."""


class CNNLSTM(nn.Module):
    """Films (N, C, T, H, W) of any length → logits (N, K)."""

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 3,
        widths: Sequence[int] = (16, 32, 64),
        width: int = 96,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        before = 2 * in_channels
        for each in widths:
            layers += [nn.Conv2d(before, each, 3, 2, 1, bias=False), nn.BatchNorm2d(each), nn.ReLU(inplace=True)]
            before = each
        self.frame = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(CELLS), nn.Flatten(), nn.Linear(before * CELLS**2, width), nn.ReLU()
        )
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x, x - torch.cat([x[:, :, :1], x[:, :, :-1]], 2)], 1)
        frames = self.frame(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (x.shape[0], x.shape[2]))  # (N, T, F)
        return self.fc(self.lstm(frames)[0][:, -1])
