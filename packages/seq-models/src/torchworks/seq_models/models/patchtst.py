"""PatchTST: a Transformer whose tokens are patches of a series.

Nie, Nguyen, Sinthong, Kalagnanam 2023, "A Time Series is Worth 64 Words: Long-term Forecasting with Transformers"
(arXiv:2211.14730), section 3.1.

The idea: a single value means as little as a single letter. Patches of P steps, one every S steps, are tokens that
mean something, and attention over them costs (S²) times less. Each series is a row of its own with the same weights.

    x_d = W_p x_p + W_pos                    patches, and their learned positions
    z = encoder(x_d)
    ŷ = W flatten(z) + b                     the linear head over all patches

The last value is repeated S times at the end before it is cut into patches, as in the paper.

What differs from the paper: norms are before attention and FFN, and of each token instead of over the batch; a patch
may have further channels, such as known columns; the head has D numbers for each future step.

Shape letters: N rows, L steps of the past, C channels, P steps of a patch, S steps between two, M patches, E embed_dim,
H steps of the future, D numbers of each.
"""

import torch
from torch import Tensor, nn

from torchworks.seq_models.models.transformer import EncoderStack, LayerSize

STD = 0.02
"""Of the positions at the beginning."""


class PatchTST(nn.Module):
    """(N, L, C) → (N, H, D)."""

    def __init__(
        self,
        context: int,
        horizon: int,
        *,
        channels: int = 1,
        out_dim: int = 1,
        patch: int = 16,
        stride: int = 8,
        embed_dim: int = 64,
        depth: int = 2,
        num_heads: int = 4,
        ff_dim: int = 128,
        drop_rate: float = 0.1,
    ):
        super().__init__()
        if patch > context:
            raise ValueError(f"patch must not be longer than context, but {patch} is more than {context}")
        self.patch, self.stride, self.horizon, self.out_dim = patch, stride, horizon, out_dim
        self.patches = (context - patch) // stride + 2
        self.embedding = nn.Linear(patch * channels, embed_dim)
        self.positions = nn.Parameter(STD * torch.randn(self.patches, embed_dim))
        size = LayerSize(embed_dim, num_heads, ff_dim, drop_rate, norm_first=True, activation="gelu")
        self.encoder = EncoderStack(size, depth)
        self.dropout = nn.Dropout(drop_rate)
        self.linear = nn.Linear(self.patches * embed_dim, horizon * out_dim)

    def cut(self, x: Tensor) -> Tensor:
        """(N, L, C) → (N, M, P·C)."""
        longer = torch.cat([x, x[:, -1:].expand(-1, self.stride, -1)], 1)
        first = torch.arange(self.patches, device=x.device) * self.stride
        places = first[:, None] + torch.arange(self.patch, device=x.device)  # (M, P)
        return longer[:, places].flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.dropout(self.embedding(self.cut(x)) + self.positions)
        hidden = self.encoder(tokens, None)  # (N, M, E)
        return self.linear(self.dropout(hidden.flatten(1))).reshape(x.shape[0], self.horizon, self.out_dim)
