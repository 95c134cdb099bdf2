"""The Transformer: attention instead of recurrence, an encoder that reads and a decoder that writes.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762).

The idea: a layer lets every token look at every other at once, so that a word reaches any other in one step, and all
words of a text are computed together. The encoder's tokens see the whole source. The decoder's see earlier tokens of
the answer, and the source.

    encoder layer:  x → norm(x + attention(x)) → norm(x + FFN(x))                        (section 3.1)
    decoder layer:  the same, with attention to the source between
    FFN(x) = max(0, x W_1 + b_1) W_2 + b_2                                               (equation 2)
    PE(pos, 2i) = sin(pos / 10000^(2i/E)),    PE(pos, 2i+1) = cos(pos / 10000^(2i/E))    (section 3.5)

That is post-norm, as in the paper. Pre-norm, x + attention(norm(x)), with one more norm at the end of each stack,
trains without warm-up and is what `norm_first` (the default) takes (Xiong et al. 2020, arXiv:2002.04745). GELU
(`activation`) and learned positions are options too. Embeddings are multiplied by √E, and the decoder's are the last
layer as well (section 3.4).

The layers' parameters have the names of `nn.TransformerEncoder`'s and `nn.TransformerDecoder`'s, whose weights load;
with them, real positions have their outputs. (At padding `nn.TransformerEncoder` gives zeros or not, depending on its
mode.)

Shape letters: B rows, R tokens of the source, T tokens of the answer, S tokens in a cache, V vocabulary, E embed_dim, h
heads, d channels of a head.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.attention import (
    LayerCache,
    MultiHeadAttention,
    attention_weights,
    mask_and_positions,
    newest,
)
from torchworks.seq_models.models.encoder_decoder import EncoderDecoder

Positions = Literal["sinusoidal", "learned"]
Activation = Literal["relu", "gelu"]


@dataclass(frozen=True)
class LayerSize:
    """What the layers of encoder and decoder have in common."""

    embed_dim: int = 128
    num_heads: int = 4
    ff_dim: int = 512
    """Width of the FFN between its two layers."""
    drop_rate: float = 0.1
    norm_first: bool = True
    """Pre-norm; otherwise the paper's post-norm."""
    activation: Activation = "relu"


class Transformer(EncoderDecoder):
    """Source and target tokens to logits: see `EncoderDecoder`.

    `longest` limits the tokens of source and answer where positions are learned, and is not needed else. `begin` is the
    token before the answer's first.
    """

    def __init__(
        self,
        source_vocabulary: int,
        vocabulary: int,
        *,
        embed_dim: int = 128,
        num_heads: int = 4,
        depth: int = 2,
        decoder_depth: int = 2,
        ff_dim: int = 512,
        drop_rate: float = 0.1,
        norm_first: bool = True,
        activation: Activation = "relu",
        positions: Positions = "sinusoidal",
        longest: int | None = None,
        begin: int = 0,
    ):
        super().__init__()
        size = LayerSize(embed_dim, num_heads, ff_dim, drop_rate, norm_first, activation)
        self.source_vocabulary, self.vocabulary = source_vocabulary, vocabulary
        self.longest, self.begin = longest, begin
        self.cache_shape = (decoder_depth, num_heads, embed_dim // num_heads)
        self.source_embedding = Embedding(source_vocabulary, embed_dim, drop_rate, positions, longest)
        self.target_embedding = Embedding(vocabulary, embed_dim, drop_rate, positions, longest)
        self.encoder = EncoderStack(size, depth)
        self.decoder = DecoderStack(size, decoder_depth)

    def encode(self, source: Tensor, real: Tensor | None = None) -> Tensor:
        mask, positions = mask_and_positions(real, 0, source, causal=False)
        return self.encoder(self.source_embedding(source, positions), mask)

    def read(self, source: Tensor, real: Tensor | None = None) -> Tensor:
        return self.decoder.read(self.encode(source, real))

    def decode(
        self,
        tokens: Tensor,
        keys_values: Tensor,
        source_real: Tensor | None,
        real: Tensor | None,
        caches: Sequence[LayerCache] | None = None,
        used: int = 0,
    ) -> Tensor:
        mask, positions = mask_and_positions(real, used, tokens)
        x = self.target_embedding(tokens, newest(positions, tokens.shape[1]))
        causal = mask is None and used == 0  # without a mask, a token after the cache may look at all
        return self.decoder(x, keys_values, mask, source_mask(source_real), caches, causal=causal)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.target_embedding.tokens.weight)

    @torch.no_grad()
    def attention_to_source(self, source: Tensor, target: Tensor) -> Tensor:
        """How much each token of the answer takes of each of the source, in each layer and head: (B, L, h, T, R). For
        pictures, of texts without padding, in evaluation mode."""
        _, positions = mask_and_positions(None, 0, target)
        return self.decoder.weights(self.target_embedding(target, positions), self.read(source))


class Embedding(nn.Module):
    """Tokens (B, T) at positions (B or 1, T) → (B, T, E): √E times the token's vector, plus the position's."""

    def __init__(self, vocabulary: int, embed_dim: int, drop_rate: float, positions: Positions, longest: int | None):
        super().__init__()
        self.scale = math.sqrt(embed_dim)
        self.tokens = nn.Embedding(vocabulary, embed_dim)
        nn.init.normal_(self.tokens.weight, std=embed_dim**-0.5)
        self.positions = None
        if positions == "learned":
            if longest is None:
                raise ValueError("Learned positions need a limit: say how long the longest text may be (longest=…).")
            self.positions = nn.Embedding(longest, embed_dim)
            nn.init.normal_(self.positions.weight, std=0.02)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        x = self.scale * self.tokens(tokens)
        place = sinusoids(positions, x.shape[2], x.dtype) if self.positions is None else self.positions(positions)
        return self.dropout(x + place)


def sinusoids(positions: Tensor, embed_dim: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Section 3.5: positions, int64 (B, T), → (B, T, E), sine and cosine of each frequency side by side."""
    exponents = torch.arange(0, embed_dim, 2, device=positions.device, dtype=torch.float64) / embed_dim
    angles = positions[..., None] * 10_000**-exponents  # (B, T, ⌈E/2⌉)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)[..., :embed_dim].to(dtype)


def source_mask(real: Tensor | None) -> Tensor | None:
    """Every token of the answer may look at all real ones of the source: bool (B, 1, 1, R), or None."""
    return None if real is None else real[:, None, None]


class EncoderStack(nn.Module):
    """(B, R, E) → (B, R, E), as `nn.TransformerEncoder`."""

    def __init__(self, size: LayerSize, depth: int):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(size) for _ in range(depth))
        self.norm = nn.LayerNorm(size.embed_dim) if size.norm_first else None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, mask)
        return x if self.norm is None else self.norm(x)


class DecoderStack(nn.Module):
    """(B, T, E) → (B, T, E), as `nn.TransformerDecoder`."""

    def __init__(self, size: LayerSize, depth: int):
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(size) for _ in range(depth))
        self.norm = nn.LayerNorm(size.embed_dim) if size.norm_first else None

    def read(self, memory: Tensor) -> Tensor:
        """Keys and values of the source (B, R, E) for each layer: (B, L, 2, h, R, d)."""
        each = [torch.stack(layer.multihead_attn.keys_values(memory), 1) for layer in self._decoder_layers()]
        return torch.stack(each, 1)

    def forward(
        self,
        x: Tensor,
        keys_values: Tensor,
        mask: Tensor | None = None,
        source_mask: Tensor | None = None,
        caches: Sequence[LayerCache] | None = None,
        *,
        causal: bool = True,
    ) -> Tensor:
        """`keys_values` (B, L, 2, h, R, d) are from `read`. `causal` counts where no `mask` is given."""
        for i, layer in enumerate(self.layers):
            cache = None if caches is None else caches[i]
            x = layer(x, keys_values[:, i], mask, source_mask, cache, causal=causal)
        return x if self.norm is None else self.norm(x)

    def weights(self, x: Tensor, keys_values: Tensor) -> Tensor:
        """The weights of each layer's attention to the source: (B, L, h, T, R)."""
        found = []
        for i, layer in enumerate(self._decoder_layers()):
            found.append(layer.weights(x, keys_values[:, i]))
            x = layer(x, keys_values[:, i])
        return torch.stack(found, 1)

    def _decoder_layers(self) -> list["DecoderLayer"]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]


class Layer(nn.Module):
    """What both kinds of layer have: attention to each other, an FFN, and where the norm goes."""

    def __init__(self, size: LayerSize):
        super().__init__()
        self.norm_first, self.activation = size.norm_first, size.activation
        self.self_attn = MultiHeadAttention(size.embed_dim, size.num_heads, drop_rate=size.drop_rate)
        self.linear1 = nn.Linear(size.embed_dim, size.ff_dim)
        self.linear2 = nn.Linear(size.ff_dim, size.embed_dim)
        self.norm1, self.norm2 = nn.LayerNorm(size.embed_dim), nn.LayerNorm(size.embed_dim)
        self.dropout = nn.Dropout(size.drop_rate)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def look_around(self, x: Tensor, mask: Tensor | None, causal: bool, cache: LayerCache | None) -> Tensor:
        return self.dropout(self.self_attn(x, mask, causal=causal, cache=cache))

    def ffn(self, x: Tensor) -> Tensor:
        """Equation 2, with dropout between and after."""
        hidden = self.linear1(x)
        hidden = hidden.relu() if self.activation == "relu" else F.gelu(hidden)
        return self.dropout(self.linear2(self.dropout(hidden)))


class EncoderLayer(Layer):
    """(B, R, E) → (B, R, E), as `nn.TransformerEncoderLayer`."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.norm_first:
            x = x + self.look_around(self.norm1(x), mask, False, None)
            return x + self.ffn(self.norm2(x))
        x = self.norm1(x + self.look_around(x, mask, False, None))
        return self.norm2(x + self.ffn(x))


class DecoderLayer(Layer):
    """(B, T, E) → (B, T, E), as `nn.TransformerDecoderLayer`."""

    def __init__(self, size: LayerSize):
        super().__init__(size)
        self.multihead_attn = MultiHeadAttention(size.embed_dim, size.num_heads, drop_rate=size.drop_rate)
        self.norm3 = nn.LayerNorm(size.embed_dim)

    def forward(
        self,
        x: Tensor,
        keys_values: Tensor,
        mask: Tensor | None = None,
        source_mask: Tensor | None = None,
        cache: LayerCache | None = None,
        *,
        causal: bool = True,
    ) -> Tensor:
        """`keys_values` (B, 2, h, R, d) of the source, for this layer. `causal` counts where no `mask` is given."""
        causal = mask is None and causal
        if self.norm_first:
            x = x + self.look_around(self.norm1(x), mask, causal, cache)
            x = x + self.look_at_source(self.norm2(x), keys_values, source_mask)
            return x + self.ffn(self.norm3(x))
        x = self.norm1(x + self.look_around(x, mask, causal, cache))
        x = self.norm2(x + self.look_at_source(x, keys_values, source_mask))
        return self.norm3(x + self.ffn(x))

    def look_at_source(self, x: Tensor, keys_values: Tensor, mask: Tensor | None) -> Tensor:
        k, v = keys_values.unbind(1)
        return self.dropout(self.multihead_attn.look_at(x, (k, v), mask))

    def weights(self, x: Tensor, keys_values: Tensor) -> Tensor:
        """How much each token takes of each of the source: (B, h, T, R)."""
        if self.norm_first:
            asks = self.norm2(x + self.look_around(self.norm1(x), None, True, None))
        else:
            asks = self.norm1(x + self.look_around(x, None, True, None))
        return attention_weights(self.multihead_attn.queries(asks), keys_values[:, 0])
