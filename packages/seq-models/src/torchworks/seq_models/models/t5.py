"""T5: every task is a text that answers a text.

Raffel et al. 2019, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer"
(arXiv:1910.10683), and its version 1.1. Names of parameters are Hugging Face's (`T5ForConditionalGeneration`), whose
weights load as they are.

The idea: an encoder–decoder as in "Attention Is All You Need", simplified (section 2.1): norms only scale, layers have
no biases, and there are no positions. Instead, each head adds a learned number to the score of query t and key s, which
depends on their distance s - t alone, one number for a bucket of distances: near distances have a bucket each, farther
ones share buckets that grow like powers, up to `max_distance`. The first layer's numbers serve all layers of a stack.

    RMSnorm(x) = g · x / √(mean(x²) + ε)                    (Zhang and Sennrich 2019, arXiv:1910.07467, equation 4)
    x → x + attention(RMSnorm(x)),    attention = softmax(Q Kᵀ + bias) V        (no 1/√d: it is in the initial weights)
    x → x + W_o ReLU(W_i x)             or, in version 1.1,    x + W_o (GELU(W_i0 x) · W_i1 x)

`scale_outputs`: the decoder's outputs are divided by √E before the logits, as the last layer is the embedding. Version
1.1 was trained without, and with a last layer of its own (`tied_head=False`). transformers 5 calls the first of the two
`scale_decoder_outputs` and derives it from `tie_word_embeddings`; the last layer there is the file's.

What differs: norms compute in float64 for float64, where Hugging Face's take float32: outputs agree to 1e-6 there.

Shape letters: B rows, R tokens of the source, T tokens of the answer, S tokens in a cache, V vocabulary, E embed_dim, h
heads, d channels of a head (h · d need not be E), L layers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.attention import LayerCache, attention, mask_and_positions, newest
from torchworks.seq_models.models.encoder_decoder import EncoderDecoder


@dataclass(frozen=True)
class T5Size:
    """What encoder and decoder have in common. The defaults are those of T5-small."""

    embed_dim: int = 512
    num_heads: int = 8
    head_dim: int = 64
    ff_dim: int = 2048
    gated: bool = False
    """Version 1.1's gated GELU instead of ReLU."""
    buckets: int = 32
    """Numbers that a head has for distances."""
    max_distance: int = 128
    """Distances from it on share the last bucket."""
    drop_rate: float = 0.1
    eps: float = 1e-6


class T5(EncoderDecoder):
    """Source and answer, both of one vocabulary, to logits: see `EncoderDecoder`."""

    def __init__(
        self,
        vocabulary: int,
        size: T5Size | None = None,
        *,
        depth: int = 6,
        decoder_depth: int = 6,
        scale_outputs: bool = True,
        tied_head: bool = True,
        begin: int = 0,
    ):
        super().__init__()
        size = size or T5Size()
        self.size, self.vocabulary, self.scale_outputs, self.begin = size, vocabulary, scale_outputs, begin
        self.cache_shape = (decoder_depth, size.num_heads, size.head_dim)
        self.shared = nn.Embedding(vocabulary, size.embed_dim)
        self.encoder = Stack(size, depth, decoder=False)
        self.decoder = Stack(size, decoder_depth, decoder=True)
        self.lm_head = None if tied_head else nn.Linear(size.embed_dim, vocabulary, bias=False)
        if self.lm_head is not None:
            nn.init.normal_(self.lm_head.weight, std=size.embed_dim**-0.5)  # logits begin at about 1 in size
        aliases = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", *(["lm_head.weight"] * tied_head)]
        self.tied = dict.fromkeys(aliases, "shared.weight")

    def encode(self, source: Tensor, real: Tensor | None = None) -> Tensor:
        mask, positions = mask_and_positions(real, 0, source, causal=False)
        return self.encoder(self.shared(source), mask, positions)

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
        if mask is None and used == 0:  # the fused operator takes a triangle or a bias, not both
            mask = positions[:, None, None] <= positions[:, None, :, None]
        source_mask = None if source_real is None else source_real[:, None, None]  # (B, 1, 1, R)
        return self.decoder(self.shared(tokens), mask, positions, keys_values, source_mask, caches)

    def logits(self, hidden: Tensor) -> Tensor:
        if self.scale_outputs:
            hidden = hidden * self.size.embed_dim**-0.5
        return F.linear(hidden, self.shared.weight if self.lm_head is None else self.lm_head.weight)


class Stack(nn.Module):
    """An encoder or a decoder, (B, T, E) → (B, T, E)."""

    def __init__(self, size: T5Size, depth: int, *, decoder: bool):
        super().__init__()
        self.drop = nn.Dropout(size.drop_rate)
        self.block = nn.ModuleList(Block(size, decoder, first=i == 0) for i in range(depth))
        self.final_layer_norm = RMSNorm(size.embed_dim, size.eps)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        positions: Tensor,
        keys_values: Tensor | None = None,
        source_mask: Tensor | None = None,
        caches: Sequence[LayerCache] | None = None,
    ) -> Tensor:
        """`positions` (B or 1, S + T) of cached and new tokens. A decoder needs `keys_values` (B, L, 2, h, R, d)."""
        blocks = self._blocks()
        bias = blocks[0].bias(positions, x.shape[1])  # (B or 1, h, T, S + T)
        x = self.drop(x)
        for i, block in enumerate(blocks):
            source = None if keys_values is None else keys_values[:, i]
            x = block(x, bias, mask, source, source_mask, None if caches is None else caches[i])
        return self.drop(self.final_layer_norm(x))

    def read(self, memory: Tensor) -> Tensor:
        """Keys and values of the source (B, R, E) for each layer: (B, L, 2, h, R, d)."""
        return torch.stack([block.read(memory) for block in self._blocks()], 1)

    def _blocks(self) -> list["Block"]:
        return [block for block in self.block if isinstance(block, Block)]


class Block(nn.Module):
    """Attention to each other, in a decoder attention to the source too, and an FFN."""

    def __init__(self, size: T5Size, decoder: bool, *, first: bool):
        super().__init__()
        attention_to_source = [SourceAttentionLayer(size)] if decoder else []
        self.layer = nn.ModuleList([SelfAttentionLayer(size, decoder, first), *attention_to_source, FFNLayer(size)])

    def forward(
        self,
        x: Tensor,
        bias: Tensor,
        mask: Tensor | None,
        source: Tensor | None,
        source_mask: Tensor | None,
        cache: LayerCache | None,
    ) -> Tensor:
        x = self.layer[0](x, bias, mask, cache)
        if source is not None:
            x = self.layer[1](x, source, source_mask)
        return self.layer[-1](x)

    def bias(self, positions: Tensor, new: int) -> Tensor:
        layer = self.layer[0]
        assert isinstance(layer, SelfAttentionLayer)
        return layer.SelfAttention.bias(positions, new)

    def read(self, memory: Tensor) -> Tensor:
        layer = self.layer[1]
        assert isinstance(layer, SourceAttentionLayer)
        return torch.stack(layer.EncDecAttention.keys_values(memory), 1)


class SelfAttentionLayer(nn.Module):
    """x + attention(RMSnorm(x))."""

    def __init__(self, size: T5Size, causal: bool, first: bool):
        super().__init__()
        self.SelfAttention = Attention(size, causal=causal, with_bias=first)
        self.layer_norm = RMSNorm(size.embed_dim, size.eps)
        self.dropout = nn.Dropout(size.drop_rate)

    def forward(self, x: Tensor, bias: Tensor, mask: Tensor | None, cache: LayerCache | None) -> Tensor:
        normalized = self.layer_norm(x)
        k, v = self.SelfAttention.keys_values(normalized)
        if cache is not None:
            k, v = cache.extend(k, v)
        return x + self.dropout(self.SelfAttention(normalized, k, v, mask, bias))


class SourceAttentionLayer(nn.Module):
    """x + attention of RMSnorm(x) to the source, whose keys and values are (B, 2, h, R, d)."""

    def __init__(self, size: T5Size):
        super().__init__()
        self.EncDecAttention = Attention(size)
        self.layer_norm = RMSNorm(size.embed_dim, size.eps)
        self.dropout = nn.Dropout(size.drop_rate)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None) -> Tensor:
        k, v = source.unbind(1)
        return x + self.dropout(self.EncDecAttention(self.layer_norm(x), k, v, mask))


class FFNLayer(nn.Module):
    """x + FFN(RMSnorm(x))."""

    def __init__(self, size: T5Size):
        super().__init__()
        self.DenseReluDense = GatedFFN(size) if size.gated else FFN(size)
        self.layer_norm = RMSNorm(size.embed_dim, size.eps)
        self.dropout = nn.Dropout(size.drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.DenseReluDense(self.layer_norm(x)))


class Attention(nn.Module):
    """softmax(Q Kᵀ + bias) V of queries of tokens (B, T, E) and the keys and values of others, → (B, T, E).

    `with_bias` it has the numbers for distances, of its whole stack; `causal` these look back only."""

    def __init__(self, size: T5Size, *, causal: bool = False, with_bias: bool = False):
        super().__init__()
        self.size, self.causal = size, causal
        width = size.num_heads * size.head_dim
        self.q, self.k, self.v = (nn.Linear(size.embed_dim, width, bias=False) for _ in range(3))
        self.o = nn.Linear(width, size.embed_dim, bias=False)
        nn.init.normal_(self.q.weight, std=(size.embed_dim * size.head_dim) ** -0.5)  # 1/√d is in here
        nn.init.normal_(self.k.weight, std=size.embed_dim**-0.5)
        nn.init.normal_(self.v.weight, std=size.embed_dim**-0.5)
        nn.init.normal_(self.o.weight, std=width**-0.5)
        self.relative_attention_bias = nn.Embedding(size.buckets, size.num_heads) if with_bias else None
        if self.relative_attention_bias is not None:
            nn.init.normal_(self.relative_attention_bias.weight, std=size.embed_dim**-0.5)

    def forward(self, x: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, bias: Tensor | None = None) -> Tensor:
        drop_rate = self.size.drop_rate if self.training else 0.0
        heads = attention(self._heads(self.q(x)), k, v, mask, bias=bias, scale=1.0, drop_rate=drop_rate)
        return self.o(heads.transpose(1, 2).flatten(2))

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, E) → twice (B, h, S, d)."""
        return self._heads(self.k(x)), self._heads(self.v(x))

    def bias(self, positions: Tensor, new: int) -> Tensor:
        """What is added to the scores of the last `new` tokens at `positions` (B or 1, S): (B or 1, h, new, S)."""
        assert self.relative_attention_bias is not None
        distances = positions[:, None] - newest(positions, new)[:, :, None]  # (B or 1, new, S)
        buckets = bucket_of(distances, self.size.buckets, self.size.max_distance, causal=self.causal)
        return self.relative_attention_bias(buckets).permute(0, 3, 1, 2)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.size.num_heads, -1)).transpose(1, 2)  # (B, h, T, d)


def bucket_of(distances: Tensor, buckets: int, max_distance: int, *, causal: bool) -> Tensor:
    """The bucket in [0, `buckets`) of each distance s - t, int64, from a query at t to a key at s (section 2.1).

    Half of the buckets are for one distance each. The other half grow like powers up to `max_distance`; all beyond
    share the last. If not `causal`, each direction has half of them all.
    """
    if causal:
        offset, distances = torch.zeros_like(distances), (-distances).clamp_min(0)
    else:
        buckets //= 2
        offset, distances = (distances > 0).long() * buckets, distances.abs()
    exact = buckets // 2
    growth = (distances.clamp_min(1).float() / exact).log() / math.log(max_distance / exact)
    shared = exact + (growth * (buckets - exact)).long()
    return offset + torch.where(distances < exact, distances, shared.clamp_max(buckets - 1))


class FFN(nn.Module):
    """W_o ReLU(W_i x)."""

    def __init__(self, size: T5Size):
        super().__init__()
        self.wi = linear(size.embed_dim, size.ff_dim)
        self.wo = linear(size.ff_dim, size.embed_dim)
        self.dropout = nn.Dropout(size.drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        return self.wo(self.dropout(self.wi(x).relu()))


class GatedFFN(nn.Module):
    """W_o (GELU(W_i0 x) · W_i1 x) (Shazeer 2020, arXiv:2002.05202), with GELU's tanh approximation."""

    def __init__(self, size: T5Size):
        super().__init__()
        self.wi_0, self.wi_1 = (linear(size.embed_dim, size.ff_dim) for _ in range(2))
        self.wo = linear(size.ff_dim, size.embed_dim)
        self.dropout = nn.Dropout(size.drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        return self.wo(self.dropout(F.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x)))


def linear(in_features: int, out_features: int) -> nn.Linear:
    """A layer without bias, weights from N(0, 1 / inputs)."""
    layer = nn.Linear(in_features, out_features, bias=False)
    nn.init.normal_(layer.weight, std=in_features**-0.5)
    return layer


class RMSNorm(nn.Module):
    """g · x / √(mean(x²) + ε), with the mean in float32 at least."""

    def __init__(self, embed_dim: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(embed_dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        return self.weight * (wide * (wide.square().mean(-1, keepdim=True) + self.eps).rsqrt()).to(x.dtype)


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `T5` for a Hugging Face `config.json` of a T5. Raises `ValueError` for what this one lacks."""
    kind = config.get("feed_forward_proj", "relu")
    if kind not in ("relu", "gated-gelu"):
        raise ValueError(f"This T5 has feed_forward_proj 'relu' or 'gated-gelu', but the configuration says '{kind}'.")
    size = T5Size(
        embed_dim=config["d_model"],
        num_heads=config["num_heads"],
        head_dim=config["d_kv"],
        ff_dim=config["d_ff"],
        gated=kind == "gated-gelu",
        buckets=config["relative_attention_num_buckets"],
        max_distance=config.get("relative_attention_max_distance", 128),
        drop_rate=config.get("dropout_rate", 0.1),
        eps=config.get("layer_norm_epsilon", 1e-6),
    )
    tied = config.get("tie_word_embeddings", True)
    return {
        "vocabulary": config["vocab_size"],
        "size": size,
        "depth": config["num_layers"],
        "decoder_depth": config.get("num_decoder_layers") or config["num_layers"],
        "scale_outputs": config.get("scale_decoder_outputs", tied),
        "tied_head": tied,
        "begin": config.get("decoder_start_token_id") or 0,
    }
