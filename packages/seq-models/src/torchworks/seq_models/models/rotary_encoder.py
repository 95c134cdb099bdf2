"""A Transformer's encoder that knows where tokens stand by rotation: it learns soon to look at neighbors.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), section 3.1, with positions as in Su et al. 2021,
"RoFormer: Enhanced Transformer with Rotary Position Embedding" (arXiv:2104.09864), section 3.2.

The idea: BERT adds a vector for each position to the token's, and has to learn from these what "the token before" is.
Here queries and keys are rotated by angles that grow with the position, so that their product knows the distance of two
tokens from the beginning, whatever their positions are:

    x → x + attention(R norm(x)) → x + FFN(norm(x)),     (R_m q) · (R_n k) = q · R_{n-m} k     (RoFormer, equation 16)

What differs from RoFormer: norms are before attention and FFN (Xiong et al. 2020, arXiv:2002.04745), and there is one
at the end.

Shape letters: B rows, T tokens, V vocabulary, E embed_dim.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.seq_models.models.attention import MultiHeadAttention, mask_and_positions

STD = 0.3
"""Of the embeddings at the beginning, which are added to each other."""


class RotaryEncoder(nn.Module):
    """Tokens, int64 (B, T) in [0, `vocabulary`) → what each means in its text, (B, T, E). `real`, bool (B, T), is False
    where rows are padded; `segments`, int64 (B, T) in [0, `num_segments`), says what kind of token each is."""

    def __init__(
        self,
        vocabulary: int,
        *,
        depth: int = 3,
        embed_dim: int = 128,
        num_heads: int = 4,
        ff_dim: int = 256,
        num_segments: int = 2,
        drop_rate: float = 0.1,
        rotary_base: float = 10_000.0,
    ):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, embed_dim)
        self.segments = nn.Embedding(num_segments, embed_dim)
        for embedding in (self.tokens, self.segments):
            nn.init.normal_(embedding.weight, std=STD)
        layers = (RotaryLayer(embed_dim, num_heads, ff_dim, drop_rate, rotary_base) for _ in range(depth))
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, tokens: Tensor, real: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        mask, positions = mask_and_positions(real, 0, tokens, causal=False)
        x = self.tokens(tokens) + self.segments(tokens * 0 if segments is None else segments)
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x, mask, positions)
        return self.norm(x)


class RotaryLayer(nn.Module):
    """(B, T, E) → (B, T, E)."""

    def __init__(self, embed_dim: int, num_heads: int, ff_dim: int, drop_rate: float, rotary_base: float):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.attention = MultiHeadAttention(embed_dim, num_heads, drop_rate=drop_rate, rotary_base=rotary_base)
        self.linear1 = nn.Linear(embed_dim, ff_dim)
        self.linear2 = nn.Linear(ff_dim, embed_dim)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor, mask: Tensor | None, positions: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x), mask, positions=positions))
        return x + self.dropout(self.linear2(F.gelu(self.linear1(self.norm2(x)))))
