"""A Transformer's encoder that reads a series, and tells its class.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), section 3.1, the encoder alone (`transformer.py`);
Zerveas et al. 2021 (arXiv:2010.02803), section 3.1, equation 1, for steps of a series as its tokens:

    u_t = W x_t + b        h = encoder(u + positions)        logits = W · 1/T Σ_t h_t + b

What differs from Zerveas et al.: positions are sines, norms are LayerNorms before attention and FFN, the mean over
steps replaces their concatenation, and nothing is learned without labels first.

Shape letters: N series, T steps, C channels, E embed_dim.
"""

import torch
from torch import Tensor, nn

from torchworks.seq_models.models.attention import mask_and_positions
from torchworks.seq_models.models.series_classifier import SameConv, SeriesClassifier
from torchworks.seq_models.models.transformer import EncoderStack, LayerSize, sinusoids


class TransformerSeriesClassifier(SeriesClassifier):
    """See `SeriesClassifier`. A step is embedded with `kernel` steps around it (1: by itself, as in the paper)."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        embed_dim: int = 64,
        depth: int = 2,
        num_heads: int = 4,
        ff_dim: int = 128,
        kernel: int = 1,
        drop_rate: float = 0.1,
    ):
        super().__init__(embed_dim, num_classes, drop_rate)
        self.embedding = SameConv(in_channels, embed_dim, kernel)
        self.inner_dropout = nn.Dropout(drop_rate)
        self.encoder = EncoderStack(LayerSize(embed_dim, num_heads, ff_dim, drop_rate, True, "gelu"), depth)

    def features(self, x: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
        mask, positions = mask_and_positions(real, 0, x, causal=False)
        embedded = self.embedding(x.transpose(1, 2)).transpose(1, 2)  # (N, T, E)
        places = sinusoids(positions, embedded.shape[2], torch.float32)
        return self.encoder(self.inner_dropout(embedded + places.to(embedded.dtype)), mask)
