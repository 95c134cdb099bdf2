"""Autoencoders whose error says how unusual a row, or a stretch of a series, is.

Hinton & Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks"; Sakurada & Yairi 2014, "Anomaly
Detection Using Autoencoders with Nonlinear Dimensionality Reduction", equation 5, for the error as a score:

    x̂ = decoder(encoder(x)),        score = Σ_d (x_d − x̂_d)²

The idea: what is usual lies near a surface of few dimensions. A net that has to send each row through a narrow layer
learns that surface, and returns usual rows well and others badly.

Shape letters: N rows, D columns, H hidden units; T steps, C channels, W steps of a window.
"""

import torch
from torch import Tensor, nn

from torchworks.seq_models.models.padding import last_before


class Autoencoder(nn.Module):
    """Rows x (N, D), about standardized → the squared error of each column, (N, D)."""

    def __init__(self, columns: int, *, hidden_dim: int = 64, narrow: int = 3):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(columns, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, narrow))
        self.decoder = nn.Sequential(nn.Linear(narrow, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, columns))

    def forward(self, x: Tensor) -> Tensor:
        return (self.decoder(self.encoder(x)).float() - x.float()).square()


class WindowAutoencoder(nn.Module):
    """Series x (N, T, C), about standardized → of each step, for each channel the mean squared error of the `window`
    steps that end with it, (N, T, C). Before its beginning a series counts as 0, so that no step looks ahead. The state
    is the `window` steps before, and begins as zeros."""

    def __init__(self, channels: int, *, window: int = 64, hidden_dim: int = 64, narrow: int = 8):
        super().__init__()
        self.channels, self.window = channels, window
        self.net = Autoencoder(channels * window, hidden_dim=hidden_dim, narrow=narrow)

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """Of the tensors of a state, without their rows: (W, C)."""
        return [(self.window, self.channels)]

    def forward(self, x: Tensor) -> Tensor:
        return self.advance(x, (x.new_zeros(x.shape[0], self.window, self.channels),))[0]

    def advance(
        self, x: Tensor, state: tuple[Tensor, ...], length: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The errors of these steps, given the `state` that those before left, and the state after them, or after the
        first `length` (N,) of each row."""
        steps, channels = x.shape[1], x.shape[2]
        end = torch.full_like(x[:, 0, 0], steps, dtype=torch.int64) if length is None else length
        padded = torch.cat([state[0].to(x.dtype), x], 1)
        places = torch.arange(steps, device=x.device)[:, None] + torch.arange(self.window, device=x.device)
        windows = padded[:, places + 1]  # (N, T, W, C)
        errors = self.net(windows.reshape(-1, self.window * channels))
        errors = errors.view(-1, steps, self.window, channels).mean(2)
        return errors, (last_before(padded, end, self.window),)
