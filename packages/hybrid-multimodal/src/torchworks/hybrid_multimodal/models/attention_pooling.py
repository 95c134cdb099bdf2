"""Attention pooling: a learned query looks at all cells of a map, instead of a mean over them.

Lee et al. 2019, "Set Transformer" (arXiv:1810.00825), section 3.2, as used for images by Zhai et al. 2022, "Scaling
Vision Transformers" (arXiv:2106.04560), section 3.3.

    a_h = softmax(q_h · K_h x / √d)        over the cells, for each head h
    z   = [Σ a_h V_h x over the cells, for each head]
    y   = W z,   then y + MLP(norm y) where there is an MLP

Shapes: N images, L cells, D channels of a cell, H heads, d = D / H.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PoolMLP(nn.Module):
    """fc2(gelu(fc1(x)))."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class AttentionPool(nn.Module):
    """Cells (N, L, D) to a vector (N, D). Names and numbers are those of timm's `AttentionPoolLatent` with one latent
    and `norm_layer=LayerNorm`; without `mlp_ratio`, those of the same with `out_features=0`: z itself is the answer."""

    def __init__(self, width: int, num_heads: int = 4, mlp_ratio: float = 0.0):
        super().__init__()
        if width % num_heads:
            raise ValueError(f"{num_heads} heads do not divide {width} channels.")
        self.num_heads = num_heads
        self.latent = nn.Parameter(torch.randn(1, 1, width) * width**-0.5)
        self.q, self.kv = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.after = bool(mlp_ratio)
        if mlp_ratio:
            self.proj, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
            self.mlp = PoolMLP(width, int(width * mlp_ratio))

    def attend(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Where each head looks, (N, H, L), which sums to 1, and the values (N, H, L, d)."""
        q = self.q(self.latent).unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (1, H, 1, d)
        keys, values = self.kv(cells).unflatten(2, (2, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        where = (q @ keys.mT * q.shape[-1] ** -0.5).softmax(-1)
        return where[:, :, 0].to(values.dtype), values

    def forward(self, cells: Tensor) -> Tensor:
        where, values = self.attend(cells)
        z = (where[:, :, None] @ values).flatten(1)  # (N, H, 1, d) → (N, D)
        if not self.after:
            return z
        y = self.proj(z)
        return y + self.mlp(self.norm(y))
