"""A small Transformer that reads a caption: what each of its tokens means in it.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), with the norm before each branch (Xiong et al.
2020, arXiv:2002.04745, figure 1b). It is trained together with the net that draws. Saharia et al. 2022 (Imagen,
arXiv:2205.11487) take a frozen one that was trained on texts alone, which a vocabulary of a dozen words does not
need.

    h = E[token] + P[place];   h = h + attention(LN(h), LN(h));   h = h + W_2 GELU(W_1 LN(h));   states = LN(h)

Padding is a token too: it is read as the end of the caption, and says by itself that there is none.

Shape letters: N captions, T tokens, D channels, V tokens of the vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.diffusion.models.blocks import Attention, heads_of


class TextEncoder(nn.Module):
    """tokens (N, T), int64, 0 for padding → states (N, T, D); T is at most `length`."""

    def __init__(self, vocabulary: int, length: int, *, width: int = 64, layers: int = 2, head_dim: int = 16):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        self.layers = nn.ModuleList(TextEncoderLayer(width, head_dim) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.tokens(tokens) + self.places[: tokens.shape[1]]
        for layer in self.layers:
            h = layer(h)
        return self.norm(h)


class TextEncoderLayer(nn.Module):
    """Attention of all tokens to all, two layers: (N, T, D) → (N, T, D)."""

    def __init__(self, width: int, head_dim: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, head_dim, heads=heads_of(width, head_dim))
        self.linear1, self.linear2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, h: Tensor) -> Tensor:
        read = self.norm1(h)
        h = h + self.attention.attend(read, read)
        return h + self.linear2(F.gelu(self.linear1(self.norm2(h))))
