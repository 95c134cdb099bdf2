"""A temporal convolutional net on piano rolls: `TCN` (tcn.py) over the frames of a piece.

Bai, Kolter and Koltun 2018, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
Modeling" (arXiv:1803.01271), section 5, whose table 1 has polyphonic music.

What differs from the paper: a linear layer reads the roll, and a learned vector stands before the first frame.

Shape letters: N pieces, L frames, H hidden_dim.
"""

from torch import Tensor

from torchworks.seq_models.models.roll_rnn import RollModel
from torchworks.seq_models.models.tcn import TCN


class MusicTCN(RollModel):
    """`depth` blocks of `hidden_dim` channels with kernels of `kernel` frames."""

    def __init__(
        self, *, depth: int = 2, kernel: int = 3, embed_dim: int = 150, hidden_dim: int = 150, drop_rate: float = 0.25
    ):
        super().__init__(embed_dim, hidden_dim, drop_rate)
        self.tcn = TCN(embed_dim, [hidden_dim] * depth, kernel_size=kernel, drop_rate=drop_rate)

    def over_time(self, x: Tensor) -> Tensor:
        """Frames (N, L, embed_dim) → (N, L, H), each from itself and earlier ones."""
        return self.tcn(x)
