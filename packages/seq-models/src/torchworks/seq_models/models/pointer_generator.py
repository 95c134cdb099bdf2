"""The pointer-generator: it writes tokens of its vocabulary, or copies them out of the text that it has read.

See, Liu and Manning 2017, "Get To The Point: Summarization with Pointer-Generator Networks" (arXiv:1704.04368), section
2.2.

The idea: a net that writes by a softmax over its vocabulary has to pass each name through its embeddings, and learns
names, not to copy. Here attention to the source is itself a distribution over tokens: each place of the source gives
its share to the token that stands there. A gate p_gen mixes the two, so that a name that no training text has is
written at once, and words such as "and" or "not in the text" still come from the vocabulary.

    a^t     = softmax(e^t),    e_i^t = s_tᵀ W h_i / √E                      (in place of equations 1 and 2)
    h*_t    = Σ_i a_i^t h_i                                                  (equation 3)
    P_vocab = softmax(V' gelu(V [s_t, h*_t] + b) + b')                       (equation 4, with a GELU)
    p_gen   = σ(w_h·h*_t + w_s·s_t + w_x·x_t + b_ptr)                        (equation 8)
    P(w)    = p_gen P_vocab(w) + (1 - p_gen) Σ_{i: w_i = w} a_i^t            (equation 9)

s_t is the decoder's state, x_t what it reads, h_i the encoder's at place i, w_i the token there.

What differs: encoder and decoder are those of a Transformer, not LSTMs, and the score is a product, as attention is
elsewhere here. The encoder's positions are rotary, since what is copied next is what stands behind the last token.
There is no coverage (section 2.3), which is against repetitions in long summaries. All tokens are known, since byte
pairs spell any name: the "extended vocabulary" of section 2.2 is the vocabulary itself.

The encoder is told which part of the source a token is in, as BERT is by segments: parts are divided by the token
`separator` and counted from the end. With `matching`, it is told as well which tokens are in the last part but one, the
question: the "exact match" of Chen et al. 2017 (arXiv:1704.00051), section 3.2.

Shape letters: B rows, R tokens of the source, T tokens of the answer, S tokens of the answer in the cache, V
vocabulary, E embed_dim, L decoder layers, h heads, d channels of a head.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.generation.protocol import State
from torchworks.seq_models.models.attention import (
    BufferedCache,
    LayerCache,
    mask_and_positions,
    newest,
    with_room,
)
from torchworks.seq_models.models.rotary_encoder import STD, RotaryEncoder
from torchworks.seq_models.models.transformer import DecoderStack, LayerSize, sinusoids, source_mask

LEAST = 1e-9
"""Of the attention, for each token: the logarithm is -∞ else for those that the source has not. The exporter to ONNX
takes an addition of so small a number for one of 0 and leaves it out, so the sum begins with it."""


class PointerGenerator(nn.Module):
    """Source tokens, int64 (B, R), and the answer's tokens, each moved one place on behind `begin`, int64 (B, T), →
    log P of the answer's tokens (B, T, V), float32. `source_real`, bool (B, R), is False where sources are padded."""

    longest = None
    continues = False

    def __init__(
        self,
        vocabulary: int,
        *,
        begin: int,
        separator: int,
        matching: bool = True,
        depth: int = 3,
        decoder_depth: int = 1,
        embed_dim: int = 128,
        num_heads: int = 4,
        ff_dim: int = 256,
        drop_rate: float = 0.1,
    ):
        super().__init__()
        self.vocabulary, self.begin, self.separator, self.matching = vocabulary, begin, separator, matching
        self.cache_shape = (decoder_depth, num_heads, embed_dim // num_heads)
        self.encoder = RotaryEncoder(
            vocabulary, depth=depth, embed_dim=embed_dim, num_heads=num_heads, ff_dim=ff_dim, num_segments=4,
            drop_rate=drop_rate,
        )  # fmt: skip
        size = LayerSize(embed_dim, num_heads, ff_dim, drop_rate, activation="gelu")
        self.decoder = DecoderStack(size, decoder_depth)
        self.pointer = nn.Linear(embed_dim, embed_dim, bias=False)  # W
        self.hidden = nn.Linear(2 * embed_dim, embed_dim)  # V, b
        self.output = nn.Linear(embed_dim, vocabulary)  # V', b'
        self.gate = nn.Linear(3 * embed_dim, 1)  # w_h, w_s, w_x, b_ptr

    def forward(self, source: Tensor, target: Tensor, source_real: Tensor | None = None) -> Tensor:
        memory = self.encode(source, source_real)
        state, read = self.decode(target, self.decoder.read(memory), source_real, None)
        return self.log_probabilities(state, read, memory, source, source_real)

    def encode(self, source: Tensor, real: Tensor | None = None) -> Tensor:
        """h: the source's tokens in their context, (B, R, E)."""
        return self.encoder(source, real, self.segments(source, real))

    def segments(self, source: Tensor, real: Tensor | None = None) -> Tensor:
        """The kind of each token, int64 (B, R). 0: in the last part; 1: in the one before; 2: in any part before that;
        3: there, and the same token is in part 1. Without `matching`, 0 or 1."""
        divides = source == self.separator if real is None else (source == self.separator) & real
        part = divides.sum(1, keepdim=True) - divides.long().cumsum(1) + divides  # separators from here on
        if not self.matching:
            return part.clamp(max=1)
        asked = (part == 1) & ~divides
        same = (source[:, :, None] == source[:, None, :]) & asked[:, None, :]  # (B, R, R)
        return part.clamp(max=2) + (same.any(2) & (part > 1))

    def decode(
        self,
        tokens: Tensor,
        keys_values: Tensor,
        source_real: Tensor | None,
        real: Tensor | None,
        caches: Sequence[LayerCache] | None = None,
        used: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """s and x: the answer's tokens in their context, and by themselves, (B, T, E) each. `keys_values` (B, L, 2, h,
        R, d) are of the source; `real` (B, S + T) is about the tokens in the `caches`, `used` (S) in number, and the
        new ones; None if all are real."""
        mask, positions = mask_and_positions(real, used, tokens)
        embedded = self.encoder.tokens(tokens)
        x = embedded + STD * sinusoids(newest(positions, tokens.shape[1]), embedded.shape[2], embedded.dtype)
        causal = mask is None and used == 0  # without a mask, a token after the cache may look at all
        state = self.decoder(x, keys_values, mask, source_mask(source_real), caches, causal=causal)
        return state, x

    def log_probabilities(
        self, state: Tensor, read: Tensor, memory: Tensor, source: Tensor, source_real: Tensor | None
    ) -> Tensor:
        """log P (B, T, V), of s and x (B, T, E), h (B, R, E) and the source's tokens (B, R)."""
        attention = self.attention(state, memory, source_real)  # (B, T, R)
        context = attention.to(memory.dtype) @ memory  # h*, (B, T, E)
        mixed = F.gelu(self.hidden(torch.cat([state, context], 2)))
        generated = _at_least_float32(self.output(mixed)).log_softmax(2)  # log P_vocab (B, T, V)
        gate = _at_least_float32(self.gate(torch.cat([context, state, read], 2)))  # (B, T, 1), before σ
        if source_real is not None:
            source = torch.where(source_real, source, 0)  # what stands at padding need not be a token
        places = source[:, None].expand(-1, state.shape[1], -1)  # (B, T, R)
        copied = torch.full_like(generated, LEAST).scatter_add(2, places, attention).log()
        # Equation 9 by logarithms, as 1 - σ(x) is 0 in float32 where the net is sure to generate. By softplus, since
        # exported to ONNX, `logsigmoid` is Log(Sigmoid(x)), -∞ already at x = -20, and `logaddexp` overflows.
        generated, copied = generated - F.softplus(-gate), copied - F.softplus(gate)  # + log p_gen, + log (1 - p_gen)
        return copied + F.softplus(generated - copied)  # log (exp generated + exp copied)

    def attention(self, state: Tensor, memory: Tensor, source_real: Tensor | None) -> Tensor:
        """a: how much of each token of the answer is taken from each place of the source, (B, T, R), float32."""
        scores = _at_least_float32(self.pointer(state) @ memory.mT) * memory.shape[2] ** -0.5
        if source_real is not None:
            scores = scores.masked_fill(~source_real[:, None], -1e4)
        return scores.softmax(2)

    # ------------------------------------------------------------------------------------------ generation

    @torch.no_grad()
    def start(self, tokens: Tensor, real: Tensor) -> tuple[Tensor, State]:
        """See `generation.protocol`. The state: `source` and `source_real` (B, R), `memory` (B, R, E), `keys_values`
        (B, L, 2, h, R, d), `cache` (B, L, 2, h, C, d) with room for C tokens, `real` (B, S), which of its first S
        places hold tokens."""
        memory = self.encode(tokens, real)
        state = {
            "source": tokens,
            "source_real": real,
            "memory": memory,
            "keys_values": self.decoder.read(memory),
            "cache": self.empty_cache(memory),
            "real": real[:, :0],
        }
        return self.step(tokens.new_full((tokens.shape[0],), self.begin), state)

    @torch.no_grad()
    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        """See `generation.protocol`."""
        used = state["real"].shape[1]
        real = torch.cat([state["real"], torch.ones_like(token, dtype=torch.bool)[:, None]], 1)
        cache = with_room(state["cache"], used + 1)
        layers = [BufferedCache(layer, used) for layer in cache.unbind(1)]
        decoded = self.decode(token[:, None], state["keys_values"], state["source_real"], None, layers, used)
        logits = self.log_probabilities(*decoded, state["memory"], state["source"], state["source_real"])
        return logits[:, 0], {**state, "cache": cache, "real": real}

    def empty_cache(self, memory: Tensor) -> Tensor:
        """The cache of as many rows as `memory` has, without tokens: (B, L, 2, h, 0, d)."""
        depth, heads, channels = self.cache_shape
        return memory.new_zeros((memory.shape[0], depth, 2, heads, 0, channels))


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
