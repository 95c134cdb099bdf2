"""A small Transformer encoder that makes of a prompt's words what they mean in it.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762, section 3.1), normalized before each branch instead
of after it (Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture", arXiv:2002.04745, figure 1b),
which trains without a warm-up of the rate. Names of parameters are those of `torch.nn.TransformerEncoder` with
`norm_first=True`.

The idea: "a red circle left of a blue square" is eight words, of which "red" belongs to "circle". In each layer every
word looks at all others, so that afterwards the state of "circle" can say that it is red.

    h = token + position;    h = h + attention(LN(h));    h = h + W_2 GELU(W_1 LN(h));    states = LN(h)

What differs from the papers: GELU for ReLU, learned positions for sines.

Shape letters: N texts, L tokens, V vocabulary, D embed_dim, h heads, d channels of a head.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.diffusion.models.blocks import heads_of, zero_
from torchworks.shared.config import UserError


class TextEncoder(nn.Module):
    """Tokens, int64 (N, L) in [0, `vocabulary`), L up to `longest`, → states (N, L, D).

    `token_std` is the standard deviation that vectors of tokens and positions start with. With `zero_output`, layers
    start by passing on what they got.
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        longest: int = 32,
        embed_dim: int = 64,
        depth: int = 2,
        num_heads: int = 4,
        ff_dim: int | None = None,
        dropout: float = 0.0,
        token_std: float = 0.02,
        zero_output: bool = False,
    ):
        super().__init__()
        self.longest, self.embed_dim = longest, embed_dim
        self.token_embedding = nn.Embedding(vocabulary, embed_dim)
        self.position_embedding = nn.Embedding(longest, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(embed_dim, num_heads, ff_dim or 4 * embed_dim, dropout, zero=zero_output) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dim)
        for table in (self.token_embedding, self.position_embedding):
            nn.init.normal_(table.weight, std=token_std)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """`mask`, bool (N, L), is False for padding, which no token looks at; a row that is all padding looks at
        itself. Raises `UserError` for texts longer than `longest`."""
        if not torch.compiler.is_exporting() and tokens.shape[1] > self.longest:
            raise UserError(
                f"This text encoder reads texts of up to {self.longest} tokens, but one has {tokens.shape[1]}. Shorten "
                "it, or train a model for longer ones."
            )
        if mask is not None:
            mask = (mask | ~mask.any(1, keepdim=True))[:, None, None]  # (N, 1, 1, L); softmax of nothing is NaN
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        h = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))
        for layer in self.layers:
            h = layer(h, mask)
        return self.norm(h)


class EncoderLayer(nn.Module):
    """Attention, then two layers over each token by itself: (N, L, D) → (N, L, D)."""

    def __init__(self, embed_dim: int, num_heads: int, ff_dim: int, dropout: float, *, zero: bool = False):
        super().__init__()
        self.self_attn = SelfAttention(embed_dim, num_heads)
        self.linear1 = nn.Linear(embed_dim, ff_dim)
        self.linear2 = nn.Linear(ff_dim, embed_dim)
        self.norm1, self.norm2 = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)
        if zero:
            zero_(self.self_attn.out_proj)
            zero_(self.linear2)

    def forward(self, h: Tensor, mask: Tensor | None) -> Tensor:
        h = h + self.dropout(self.self_attn(self.norm1(h), mask))
        hidden = self.dropout(F.gelu(self.linear1(self.norm2(h))))
        return h + self.dropout(self.linear2(hidden))


class SelfAttention(nn.Module):
    """softmax(Q Kᵀ / √d) V of all tokens: (N, L, D) → (N, L, D). One weight makes queries, keys and values, in this
    order, as in `torch.nn.MultiheadAttention`."""

    def __init__(self, embed_dim: int, num_heads: int):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, embed_dim // num_heads
        heads_of(embed_dim, self.head_dim)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim))
        self.out_proj = nn.Linear(embed_dim, embed_dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        both = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (N, L, 3 D)
        q, k, v = both.unflatten(2, (3, self.num_heads, self.head_dim)).permute(2, 0, 3, 1, 4)  # (N, h, L, d) each
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(found.transpose(1, 2).flatten(2))
