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
from torch.nn import functional as F


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
    steps that end with it, (N, T, C). Before its beginning a series counts as 0, so that no step looks ahead."""

    def __init__(self, channels: int, *, window: int = 64, hidden_dim: int = 64, narrow: int = 8):
        super().__init__()
        self.window = window
        self.net = Autoencoder(channels * window, hidden_dim=hidden_dim, narrow=narrow)

    def forward(self, x: Tensor) -> Tensor:
        steps, channels = x.shape[1], x.shape[2]
        padded = F.pad(x, (0, 0, self.window - 1, 0))
        places = torch.arange(steps, device=x.device)[:, None] + torch.arange(self.window, device=x.device)
        windows = padded[:, places]  # (N, T, W, C)
        errors = self.net(windows.reshape(-1, self.window * channels))
        return errors.view(-1, steps, self.window, channels).mean(2)
