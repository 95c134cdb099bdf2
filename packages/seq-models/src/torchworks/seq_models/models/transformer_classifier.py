"""A Transformer's encoder that reads a text, and tells its class.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), section 3.1, the encoder alone (`transformer.py`).

The idea: in each layer every token looks at all others, so that two words that belong together meet at once, however
far apart they stand. The mean of what the tokens have become tells the class:

    logits = W · 1/T Σ_t encoder(x)_t + b

Padding, of token 0, changes nothing: no token looks at it, and the mean leaves it out.

Shape letters: N texts, T tokens, E size of the embedding, K classes.
"""

from torch import Tensor, nn

from torchworks.seq_models.models.attention import mask_and_positions
from torchworks.seq_models.models.transformer import Embedding, EncoderStack, LayerSize

PADDING = 0


class TransformerClassifier(nn.Module):
    """Tokens, int64 (N, T) in [0, `vocabulary`), padded with 0 at their end → logits (N, K), K = `num_classes`. With
    positions as sines, a text may be of any length. Pre-norm, with GELU."""

    def __init__(
        self,
        vocabulary: int,
        num_classes: int,
        *,
        embed_dim: int = 64,
        depth: int = 2,
        num_heads: int = 4,
        ff_dim: int = 256,
        drop_rate: float = 0.1,
    ):
        super().__init__()
        size = LayerSize(embed_dim, num_heads, ff_dim, drop_rate, norm_first=True, activation="gelu")
        self.embedding = Embedding(vocabulary, embed_dim, drop_rate, "sinusoidal", None)
        self.encoder = EncoderStack(size, depth)
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(embed_dim, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        real = tokens != PADDING  # (N, T)
        mask, positions = mask_and_positions(real, 0, tokens, causal=False)
        hidden = self.encoder(self.embedding(tokens, positions), mask)  # (N, T, E)
        weights = real[..., None].to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)  # (N, E)
        return self.classifier(self.dropout(mean))
