"""A small causal net that says at each moment whether somebody speaks.

Hughes & Mierle 2013, "Recurrent Neural Networks for Voice Activity Detection" (ICASSP), which showed that a small
recurrent net beats Gaussian mixtures with hand-made smoothing.

The idea: speech is known by its sound within some hundredths of a second and by how that goes on. Two convolutions look
at neighboring frames, a recurrent layer remembers. Nothing looks ahead, so that the net answers while sound comes in.

    x_t = (log-mel_t − mean) / deviation
    u_t = relu(Σ_k W_k x_{t−k}),  v_t = relu(Σ_k W'_k u_{t−k}),  h_t = GRU(v_t, h_{t−1}),  p_t = σ(w · h_t + b)

What differs from the paper: a GRU and convolutions instead of its quadratic units.

The state is what the next frames need of the past: the last frames of both convolutions' inputs, and h. It begins as
zeros, which for x is an average sound. Frames of padding come after the real ones, and so change none of them.

Shape letters: N sounds, T frames, M mel channels, C channels, H hidden_dim.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.seq_models.models.padding import last_before
from torchworks.seq_models.models.recurrent import new_layers

State = tuple[Tensor, Tensor, Tensor]
"""The last frames of x (N, K − 1, M) and of u (N, K' − 1, C), and h (1, N, H)."""


class VoiceDetector(nn.Module):
    """Log-mel frames (N, T, M), and perhaps the state that earlier ones left → logits (N, T), and the state."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, num_mels: int = 40, *, channels: int = 32, hidden_dim: int = 48, kernels: tuple[int, int] = (5, 3),
        drop_rate: float = 0.1,
    ):  # fmt: skip
        super().__init__()
        self.num_mels, self.channels, self.hidden_dim, self.kernels = num_mels, channels, hidden_dim, kernels
        self.register_buffer("mean", torch.zeros(num_mels))
        self.register_buffer("deviation", torch.ones(num_mels))
        self.near = nn.Conv1d(num_mels, channels, kernels[0])
        self.far = nn.Conv1d(channels, channels, kernels[1])
        self.memory = new_layers("gru", channels, hidden_dim)
        self.output = nn.Linear(hidden_dim, 1)
        self.dropout = nn.Dropout(drop_rate)

    def beginning(self, rows: int, like: Tensor) -> State:
        """The state before the first frame."""
        near, far = (kernel - 1 for kernel in self.kernels)
        return (
            like.new_zeros(rows, near, self.num_mels),
            like.new_zeros(rows, far, self.channels),
            like.new_zeros(1, rows, self.hidden_dim),
        )

    def forward(self, mel: Tensor) -> Tensor:
        return self.advance(mel, self.beginning(mel.shape[0], mel))[0]

    def advance(self, mel: Tensor, state: State, length: Tensor | None = None) -> tuple[Tensor, State]:
        """The logits of these frames and the state after them, or after the first `length` (N,) of each row."""
        x = torch.cat([state[0], (mel - self.mean) / self.deviation], 1)
        u = torch.cat([state[1], _along_time(self.near, x).to(x.dtype)], 1)
        v = self.dropout(_along_time(self.far, u))
        h, last = self.memory(v, state[2], length)
        end = torch.full_like(mel[:, 0, 0], mel.shape[1], dtype=torch.int64) if length is None else length
        near, far = (last_before(each, end, kernel - 1) for each, kernel in zip((x, u), self.kernels, strict=True))
        return self.output(self.dropout(h))[..., 0], (near, far, last)


def _along_time(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """relu of a convolution over frames, (N, T + K − 1, C) → (N, T, C')."""
    return F.relu(layer(x.transpose(1, 2))).transpose(1, 2)
