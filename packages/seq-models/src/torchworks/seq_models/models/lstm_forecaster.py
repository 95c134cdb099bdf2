"""A recurrent net that reads the past and says what the horizon needs to know of it.

Wen, Torkkola, Narayanaswamy, Madeka 2017, "A Multi-Horizon Quantile Recurrent Forecaster" (arXiv:1711.11053), section
3.2: an LSTM as encoder, a "global" MLP from its last state to a vector for each step of the horizon. The "local" MLP,
which makes quantiles of such a vector and of what is known of that step, is the caller's: all steps share it.

    h_t = LSTM(h_{t−1}, x_t)                                 (equation 3)
    (c_{t+1}, …, c_{t+H}) = m_G(h_t)                         (equation 4, without the known values, which m_L has too)

The idea: nothing that was forecast is fed back, so that errors do not add up, and the whole horizon is computed at
once.

What differs from the paper: the LSTM reads `patch` steps at a time instead of one. On half-hourly data 28 patches of a
day's half were an eighth of the time of 96 single steps, and far better.

Shape letters: N rows, L steps of the past, C channels, P steps of a patch, H steps of the future, D numbers of each.
"""

from torch import Tensor, nn

from torchworks.seq_models.models.recurrent import new_layers


class LSTMForecaster(nn.Module):
    """(N, L, C) → (N, H, D). L must be a multiple of `patch`."""

    def __init__(
        self,
        context: int,
        horizon: int,
        *,
        channels: int = 1,
        out_dim: int = 16,
        hidden_dim: int = 64,
        depth: int = 1,
        patch: int = 1,
        drop_rate: float = 0.0,
        kind: str = "lstm",
    ):
        super().__init__()
        if context % patch:
            raise ValueError(f"context must be a multiple of patch, but {context} is none of {patch}")
        self.patch, self.horizon, self.out_dim = patch, horizon, out_dim
        dropout = drop_rate if depth > 1 else 0.0
        self.layers = new_layers(kind, patch * channels, hidden_dim, num_layers=depth, dropout=dropout)
        self.dropout = nn.Dropout(drop_rate)
        self.linear = nn.Linear(hidden_dim, horizon * out_dim)

    def forward(self, x: Tensor) -> Tensor:
        rows, steps, channels = x.shape
        patches = x.reshape(rows, steps // self.patch, self.patch * channels)
        outputs, _ = self.layers(patches)  # (N, L / P, hidden_dim)
        return self.linear(self.dropout(outputs[:, -1])).reshape(rows, self.horizon, self.out_dim)
