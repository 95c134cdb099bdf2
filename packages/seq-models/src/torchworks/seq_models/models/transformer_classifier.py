"""A Transformer's encoder that reads a text, and tells its class.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), section 3.1, the encoder alone (`transformer.py`);
with `positions` "rotary", Su et al. 2021, "RoFormer" (arXiv:2104.09864), as in `rotary_encoder.py`.

The idea: in each layer every token looks at all others, so that two words that belong together meet at once, however
far apart they stand. What the tokens have become tells the class, by their mean or by the maximum of each channel:

    logits = W · 1/T Σ_t encoder(x)_t + b        or        W · max_t encoder(x)_t + b

A mean is right where all of a text counts. Where one place decides, as "but" does in "dull at first, but superb", the
maximum lets a single token speak, and its gradient reaches that token undiluted. Rotary positions tell attention how
far two tokens are apart rather than where they stand, which "the opinion behind but" needs; sines leave that to be
learned.

Padding, of token 0, changes nothing: no token looks at it, and mean and maximum leave it out.

Shape letters: N texts, T tokens, E size of the embedding, K classes.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from torchworks.seq_models.models.attention import mask_and_positions
from torchworks.seq_models.models.rotary_encoder import RotaryEncoder
from torchworks.seq_models.models.transformer import Embedding, EncoderStack, LayerSize

PADDING = 0


class TransformerClassifier(nn.Module):
    """Tokens, int64 (N, T) in [0, `vocabulary`), padded with 0 at their end → logits (N, K), K = `num_classes`. A text
    may be of any length. Pre-norm, with GELU."""

    def __init__(
        self,
        vocabulary: int,
        num_classes: int,
        *,
        embed_dim: int = 64,
        depth: int = 2,
        num_heads: int = 4,
        ff_dim: int = 256,
        positions: Literal["sinusoidal", "rotary"] = "sinusoidal",
        pooling: Literal["mean", "max"] = "mean",
        drop_rate: float = 0.1,
    ):
        super().__init__()
        if positions not in ("sinusoidal", "rotary"):
            raise ValueError(f"positions must be 'sinusoidal' or 'rotary', but it is {positions!r}")
        if pooling not in ("mean", "max"):
            raise ValueError(f"pooling must be 'mean' or 'max', but it is {pooling!r}")
        self.pooling = pooling
        self.embedding = None
        if positions == "rotary":
            sizes = {"embed_dim": embed_dim, "depth": depth, "num_heads": num_heads, "ff_dim": ff_dim}
            self.encoder: nn.Module = RotaryEncoder(vocabulary, **sizes, num_segments=1, drop_rate=drop_rate)
        else:
            self.embedding = Embedding(vocabulary, embed_dim, drop_rate, "sinusoidal", None)
            size = LayerSize(embed_dim, num_heads, ff_dim, drop_rate, norm_first=True, activation="gelu")
            self.encoder = EncoderStack(size, depth)
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(embed_dim, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        real = tokens != PADDING  # (N, T)
        return self.classifier(self.dropout(self._pooled(self._encoded(tokens, real), real)))

    def _encoded(self, tokens: Tensor, real: Tensor) -> Tensor:
        """What each token means in its text, (N, T, E)."""
        if self.embedding is None:
            return self.encoder(tokens, real)
        mask, positions = mask_and_positions(real, 0, tokens, causal=False)
        return self.encoder(self.embedding(tokens, positions), mask)

    def _pooled(self, hidden: Tensor, real: Tensor) -> Tensor:
        """One vector (N, E) of each text; 0 for a text without tokens."""
        if self.pooling == "max":
            largest = hidden.masked_fill(~real[..., None], torch.finfo(hidden.dtype).min).amax(1)
            return largest * real.any(1, keepdim=True)
        weights = real[..., None].to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
