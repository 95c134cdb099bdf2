"""SASRec: a causal Transformer over the items of a user, whose last state is compared with all items.

Kang and McAuley 2018, "Self-Attentive Sequential Recommendation", https://arxiv.org/abs/1808.09781.

    x = √D e_item + p_position                           eq. 1 and 2
    x ← x + dropout(attention(norm(x)))                  each item sees itself and those before it
    x ← x + dropout(ffn(norm(x)))                        W₂ relu(W₁ x + b₁) + b₂
    s_t = norm(x_t) · e_item                             the items' own vectors, eq. 6

The paper draws one item for each next one; with a softmax over all items, as in most libraries, scores are far better.
Rows are padded on the left, so that the newest item is always at the last position.

Shape letters: N users, T items of a row, I items (numbers 1 to I; 0 is padding), D size of a vector.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Layer(nn.Module):
    """One block of the Transformer."""

    def __init__(self, embed_dim: int, heads: int, drop_rate: float):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.ffn_norm = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.out = nn.Linear(embed_dim, embed_dim)
        self.ffn = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.ReLU(), nn.Linear(embed_dim, embed_dim))
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        """x (N, T, D); `allowed` bool (N, 1, T, T), whether a position sees another."""
        n, t, d = x.shape
        q, k, v = self.qkv(self.attention_norm(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        x = x + self.dropout(self.out(seen.transpose(1, 2).reshape(n, t, d)))
        return x + self.dropout(self.ffn(self.ffn_norm(x)))


class SASRec(nn.Module):
    """States of rows of items (N, T) with T at most `longest`, and their scores of all items."""

    def __init__(
        self, num_items: int, *, embed_dim: int = 64, layers: int = 2, heads: int = 2, longest: int = 50,
        drop_rate: float = 0.3,
    ):  # fmt: skip
        super().__init__()
        self.longest = longest
        self.item_embedding = nn.Embedding(num_items + 1, embed_dim)
        self.position_embedding = nn.Embedding(longest, embed_dim)
        self.dropout = nn.Dropout(drop_rate)
        self.layers = nn.ModuleList(Layer(embed_dim, heads, drop_rate) for _ in range(layers))
        self.norm = nn.LayerNorm(embed_dim)
        for table in (self.item_embedding, self.position_embedding):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, items: Tensor) -> Tensor:
        """States (N, T, D); those at padding mean nothing."""
        t = items.shape[1]
        real = items > 0
        places = torch.arange(self.longest - t, self.longest, device=items.device)
        x = self.item_embedding(items) * self.item_embedding.embedding_dim**0.5 + self.position_embedding(places)
        x = self.dropout(x) * real[..., None]
        before = torch.ones(t, t, dtype=torch.bool, device=items.device).tril()
        itself = torch.eye(t, dtype=torch.bool, device=items.device)  # else padding would see nothing
        allowed = (before & real[:, None] | itself)[:, None]
        for layer in self.layers:
            x = layer(x, allowed)
        return self.norm(x)

    def scores(self, states: Tensor) -> Tensor:
        """Scores (…, I + 1) of states (…, D)."""
        return states @ self.item_embedding.weight.T
