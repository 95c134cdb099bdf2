"""A temporal convolutional net on piano rolls: causal convolutions that look ever further back.

Bai, Kolter and Koltun 2018, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
Modeling" (arXiv:1803.01271), sections 3 and 5, whose table 1 has polyphonic music.

The idea: a convolution over time that is padded at the beginning alone never sees the future. With a dilation of 2^i in
block i, a net of few blocks sees far: 1 + 2 (k − 1) (2^B − 1) frames for kernels of k in B blocks. All frames of a
piece are computed at once, in training as in scoring.

    block i:  y = relu(x' + f(f(x))),    f = dropout(relu(conv of dilation 2^i)),    x' = x or a 1 × 1 conv

Kernels have weight norm. What differs from the paper: a linear layer reads the roll, and a learned vector stands before
the first frame.

Shape letters: N pieces, L frames, H hidden_dim, B blocks.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from torchworks.seq_models.models.roll_rnn import RollModel


class CausalConv(nn.Module):
    """(N, H, L) → (N, H', L), each frame from itself and `kernel - 1` earlier ones, `dilation` apart."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, dilation: int):
        super().__init__()
        self.past = (kernel - 1) * dilation
        self.conv = weight_norm(nn.Conv1d(in_channels, out_channels, kernel, dilation=dilation))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (self.past, 0)))


class Block(nn.Module):
    """Figure 1 (b) of the paper."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, dilation: int, drop_rate: float):
        super().__init__()
        self.convs = nn.ModuleList(
            [CausalConv(channels, out_channels, kernel, dilation) for channels in (in_channels, out_channels)]
        )
        self.dropout = nn.Dropout(drop_rate)
        self.short = nn.Conv1d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for conv in self.convs:
            y = self.dropout(conv(y).relu())
        return (self.short(x) + y).relu()


class MusicTCN(RollModel):
    """`depth` blocks of `hidden_dim` channels with kernels of `kernel` frames."""

    def __init__(
        self, *, depth: int = 2, kernel: int = 3, embed_dim: int = 150, hidden_dim: int = 150, drop_rate: float = 0.25
    ):
        super().__init__(embed_dim, hidden_dim, drop_rate)
        sizes = [embed_dim, *[hidden_dim] * depth]
        self.blocks = nn.Sequential(*(Block(sizes[i], sizes[i + 1], kernel, 2**i, drop_rate) for i in range(depth)))

    def over_time(self, x: Tensor) -> Tensor:
        return self.blocks(x.transpose(1, 2)).transpose(1, 2)
