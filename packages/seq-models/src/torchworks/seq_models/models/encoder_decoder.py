"""What encoder–decoders have in common: a source is read once, and the answer is generated token by token from it.

`Transformer` and `T5` say how a source is encoded and how tokens are decoded. From that follow training (`forward`),
generation (`start`, `step`) and what is exported (`read` and `cached`).

Shape letters: B rows, R tokens of the source, T tokens of the answer, S tokens of the answer in the cache, V
vocabulary, E embed_dim, L decoder layers, h heads, d channels of a head.
"""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from torchworks.seq_models.generation.protocol import State
from torchworks.seq_models.models.attention import (
    BufferedCache,
    ConcatenatedCache,
    LayerCache,
    last_real,
    with_room,
)
from torchworks.seq_models.models.tied import TiedNet


class EncoderDecoder(TiedNet):
    """Source tokens, int64 (B, R), and the answer's tokens, each moved one place on behind `begin`, int64 (B, T), →
    logits (B, T, V) of the answer's tokens. `source_real` and `target_real`, bool, are False where rows are padded."""

    vocabulary: int
    """Tokens of the answer."""
    longest: int | None = None
    continues = False
    begin: int
    """The token that the decoder is given before the answer's first."""
    cache_shape: tuple[int, int, int]
    """L, h and d."""

    @abstractmethod
    def encode(self, source: Tensor, real: Tensor | None = None) -> Tensor:
        """The source's tokens in their context, (B, R, E)."""

    @abstractmethod
    def read(self, source: Tensor, real: Tensor | None = None) -> Tensor:
        """`encode`, and what the source answers to each layer of the decoder: keys and values (B, L, 2, h, R, d)."""

    @abstractmethod
    def decode(
        self,
        tokens: Tensor,
        keys_values: Tensor,
        source_real: Tensor | None,
        real: Tensor | None,
        caches: Sequence[LayerCache] | None = None,
        used: int = 0,
    ) -> Tensor:
        """The answer's tokens in their context, (B, T, E), before the logits. `keys_values` are from `read`; `real`
        (B, S + T) is about the tokens in the `caches`, `used` (S) in number, and the new ones; None if all are real."""

    @abstractmethod
    def logits(self, hidden: Tensor) -> Tensor:
        """(…, E) → (…, V)."""

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_real: Tensor | None = None,
        target_real: Tensor | None = None,
    ) -> Tensor:
        return self.logits(self.decode(target, self.read(source, source_real), source_real, target_real))

    @torch.no_grad()
    def start(self, tokens: Tensor, real: Tensor) -> tuple[Tensor, State]:
        """See `generation.protocol`. The state: `source` (B, L, 2, h, R, d), `source_real` (B, R), `cache` (B, L, 2, h,
        C, d) with room for C tokens, `real` (B, S), which of its first S places hold tokens."""
        state = {
            "source": self.read(tokens, real),
            "source_real": real,
            "cache": self.empty_cache(tokens),
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
        hidden = self.decode(token[:, None], state["source"], state["source_real"], None, layers, used)
        return self.logits(hidden[:, 0]), {**state, "cache": cache, "real": real}

    def cached(
        self, tokens: Tensor, real: Tensor, cache: Tensor, cache_real: Tensor, source: Tensor, source_real: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`step` of any number of tokens that writes into no tensor, for export.

        New `tokens`, int64 (B, T), which of them are `real` (B, T), the `cache` (B, L, 2, h, S, d) of earlier ones, S ≥
        0, and which of those are real, (B, S), and what `read` returned of the source. Returns logits (B, V) of the
        token after each row's last real one, and the cache with the new tokens, (B, L, 2, h, S + T, d).
        """
        layers = [ConcatenatedCache(layer) for layer in cache.unbind(1)]
        everything = torch.cat([cache_real, real], 1)
        hidden = self.decode(tokens, source, source_real, everything, layers, cache.shape[4])
        return self.logits(last_real(hidden, real)), torch.stack([layer.past for layer in layers], 1)

    def empty_cache(self, tokens: Tensor) -> Tensor:
        """The cache of as many rows as `tokens` has, without tokens: (B, L, 2, h, 0, d)."""
        depth, heads, channels = self.cache_shape
        weight = next(self.parameters())
        return weight.new_zeros((tokens.shape[0], depth, 2, heads, 0, channels))
