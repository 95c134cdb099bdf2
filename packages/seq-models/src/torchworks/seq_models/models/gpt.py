"""GPT: a Transformer that reads from left to right and predicts the next token.

Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training", and 2019, "Language Models are
Unsupervised Multitask Learners" (GPT-2), whose layout and names of parameters (Hugging Face's `GPT2LMHeadModel`) this
is: its published weights load as they are.

The idea: one stack of equal blocks, each of attention to earlier tokens and of two layers over each token by itself,
both added to what came in. The logits of the next token are products with the embeddings of all tokens.

    h_0 = U W_e + W_p                                                (GPT, equation 2)
    h_l = block(h_{l-1})
          h' = h + attention(LN(h)),    block(h) = h' + MLP(LN(h'))  (GPT-2, section 2.3: normalized before, not after)
    logits = LN(h_L) W_eᵀ

What differs: nothing in evaluation, unless `rotary_base` is given: then there are no vectors W_p of positions, and
queries and keys are rotated instead (Su et al. 2021, arXiv:2104.09864; see `attention.py`), so that a small net learns
sooner to look at neighbors. Weights start as GPT-2's do (section 2.3): N(0, 0.02²), those that end a residual
branch divided by √(2 L).

`forward` is for training. To generate, `start` reads prompts and `step` one more token, with the keys and values of
earlier tokens in a cache; `cached` is both of them without any writing into tensors, for export: one graph in which the
cache may be empty (S = 0).

Shape letters: B rows, T tokens, S tokens in the cache, V vocabulary, E embed_dim, L depth, h heads, d channels of a
head.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.generation.protocol import State
from torchworks.seq_models.models.attention import (
    BufferedCache,
    LayerCache,
    SeparateCache,
    attention,
    check_heads,
    last_real,
    mask_and_positions,
    masks_and_positions,
    newest,
    rotary,
    with_room,
)
from torchworks.seq_models.models.tied import TiedNet


class GPT(TiedNet):
    """Tokens, int64 (B, T) in [0, `vocabulary`), T up to `context`, → logits (B, T, V) of the token after each."""

    tied = MappingProxyType({"lm_head.weight": "transformer.wte.weight"})

    def __init__(
        self,
        vocabulary: int,
        *,
        context: int = 128,
        depth: int = 4,
        embed_dim: int = 128,
        num_heads: int = 4,
        drop_rate: float = 0.0,
        rotary_base: float | None = None,
    ):
        super().__init__()
        self.vocabulary, self.longest, self.continues = vocabulary, context, True
        self.transformer = GPTStack(vocabulary, context, depth, embed_dim, num_heads, drop_rate, rotary_base)

    def forward(self, tokens: Tensor, real: Tensor | None = None) -> Tensor:
        """`real`, bool (B, T), is False where rows are padded; without it all tokens are real."""
        hidden = self.transformer(tokens, real)
        return self._logits(hidden)

    def _logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.transformer.wte.weight)

    # ------------------------------------------------------------------------------------------ generation

    @torch.no_grad()
    def start(self, tokens: Tensor, real: Tensor) -> tuple[Tensor, State]:
        """See `generation.protocol`. The state: `cache` (B, L, 2, h, C, d) with room for C tokens, and `real` (B, S),
        which of its first S places hold tokens."""
        empty = {"cache": self.empty_cache(len(tokens)), "real": real[:, :0]}
        return self._advance(tokens, real, empty)

    @torch.no_grad()
    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        """See `generation.protocol`."""
        token = token[:, None]
        return self._advance(token, torch.ones_like(token, dtype=torch.bool), state)

    def _advance(self, tokens: Tensor, real: Tensor, state: State) -> tuple[Tensor, State]:
        used = state["real"].shape[1]
        everything = torch.cat([state["real"], real], 1)
        cache = with_room(state["cache"], everything.shape[1])
        layers = [BufferedCache(layer, used) for layer in cache.unbind(1)]
        hidden = self.transformer(tokens, None if everything.all() else everything, layers, used)
        last = hidden[:, 0] if tokens.shape[1] == 1 else last_real(hidden, real)
        return self._logits(last), {"cache": cache, "real": everything}

    def cached(
        self, tokens: Tensor, real: Tensor, caches: Sequence[tuple[Tensor, Tensor]], cache_real: Tensor
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """`start` and `step` as one function that writes into no tensor, for export.

        New `tokens`, int64 (B, T), which of them are `real` (B, T), keys and values of earlier ones in each layer, (B,
        h, S, d) each, S ≥ 0, and which of those are real, (B, S). Returns logits (B, V) of the token after each row's
        last real one, and keys and values of the new tokens in each layer, (B, h, T, d) each.
        """
        masks, positions = masks_and_positions(cache_real, real)
        layers = [SeparateCache(*layer, masks) for layer in caches]
        hidden = self.transformer.through(tokens, positions, layers)
        return self._logits(last_real(hidden, real)), [layer.new for layer in layers]

    def empty_cache(self, rows: int) -> Tensor:
        """The cache of `rows` rows without tokens: (B, L, 2, h, 0, d)."""
        heads, weight = self.transformer.num_heads, self.transformer.wte.weight
        return weight.new_zeros((rows, len(self.transformer.h), 2, heads, 0, weight.shape[1] // heads))


class GPTStack(nn.Module):
    """All but the logits: tokens (B, T) → (B, T, E)."""

    def __init__(
        self,
        vocabulary: int,
        context: int,
        depth: int,
        embed_dim: int,
        num_heads: int,
        drop_rate: float,
        rotary_base: float | None = None,
    ):
        super().__init__()
        self.num_heads = num_heads
        self.wte = nn.Embedding(vocabulary, embed_dim)
        self.wpe: nn.Embedding | None = nn.Embedding(context, embed_dim) if rotary_base is None else None
        self.drop = nn.Dropout(drop_rate)
        self.h = nn.ModuleList(Block(embed_dim, num_heads, drop_rate, rotary_base) for _ in range(depth))
        self.ln_f = nn.LayerNorm(embed_dim)
        nn.init.normal_(self.wte.weight, std=0.02)
        if self.wpe is not None:
            nn.init.normal_(self.wpe.weight, std=0.02)
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * depth))

    def forward(
        self,
        tokens: Tensor,
        real: Tensor | None,
        caches: Sequence[LayerCache | SeparateCache] | None = None,
        used: int = 0,
    ) -> Tensor:
        """`real` (B, S + T) of the tokens in the `caches`, `used` (S) in number, and of the new ones; None if all
        are."""
        mask, positions = mask_and_positions(real, used, tokens)
        positions = newest(positions, tokens.shape[1])
        causal = mask is None and used == 0  # without a mask, a token after the cache may look at all
        return self.through(tokens, positions, caches, mask, causal)

    def through(
        self,
        tokens: Tensor,
        positions: Tensor,
        caches: Sequence[LayerCache | SeparateCache] | None,
        mask: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """All blocks: tokens (B, T) at `positions` (B or 1, T) → (B, T, E)."""
        x = self.drop(self.wte(tokens) if self.wpe is None else self.wte(tokens) + self.wpe(positions))
        for i, block in enumerate(self.h):
            x = block(x, positions, mask, causal, None if caches is None else caches[i])
        return self.ln_f(x)


class Block(nn.Module):
    """Attention and MLP, each normalized before and added to what came in."""

    def __init__(self, embed_dim: int, num_heads: int, drop_rate: float, rotary_base: float | None = None):
        super().__init__()
        self.ln_1 = nn.LayerNorm(embed_dim)
        self.attn = CausalAttention(embed_dim, num_heads, drop_rate, rotary_base)
        self.ln_2 = nn.LayerNorm(embed_dim)
        self.mlp = MLP(embed_dim, drop_rate)

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor | None, causal: bool, cache: LayerCache | SeparateCache | None
    ) -> Tensor:
        x = x + self.attn(self.ln_1(x), positions, mask, causal, cache)
        return x + self.mlp(self.ln_2(x))


class CausalAttention(nn.Module):
    """Each token looks at those up to itself: (B, T, E) → (B, T, E). `positions` (B or 1, T) count if they are
    rotary; the cache then holds rotated keys."""

    def __init__(self, embed_dim: int, num_heads: int, drop_rate: float, rotary_base: float | None = None):
        super().__init__()
        check_heads(embed_dim, num_heads)
        self.num_heads, self.drop_rate, self.rotary_base = num_heads, drop_rate, rotary_base
        self.c_attn = Conv1D(embed_dim, 3 * embed_dim)
        self.c_proj = Conv1D(embed_dim, embed_dim)
        self.resid_dropout = nn.Dropout(drop_rate)

    def forward(
        self, x: Tensor, positions: Tensor, mask: Tensor | None, causal: bool, cache: LayerCache | SeparateCache | None
    ) -> Tensor:
        q, k, v = self.c_attn(x).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, h, T, d)
        if self.rotary_base is not None:
            q, k = (rotary(each, positions, self.rotary_base) for each in (q, k))
        if isinstance(cache, SeparateCache):
            heads = cache.attend(q, k, v)
        else:
            if cache is not None:
                k, v = cache.extend(k, v)  # (B, h, S + T, d)
            heads = attention(q, k, v, mask, causal=causal, drop_rate=self.drop_rate if self.training else 0.0)
        return self.resid_dropout(self.c_proj(heads.transpose(1, 2).flatten(2)))


class MLP(nn.Module):
    """Two layers over each token by itself, four times as wide between. GELU by its tanh approximation (Hendrycks and
    Gimpel 2016, arXiv:1606.08415, section 2)."""

    def __init__(self, embed_dim: int, drop_rate: float):
        super().__init__()
        self.c_fc = Conv1D(embed_dim, 4 * embed_dim)
        self.c_proj = Conv1D(4 * embed_dim, embed_dim)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")))


class Conv1D(nn.Module):
    """A linear layer whose weight is stored transposed, (inputs, outputs), as GPT-2's is: x W + b."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features).normal_(std=0.02))
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x.flatten(0, 1), self.weight).unflatten(0, x.shape[:2])


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `GPT` for a Hugging Face `config.json` of a GPT-2."""
    return {
        "vocabulary": config["vocab_size"],
        "context": config["n_positions"],
        "depth": config["n_layer"],
        "embed_dim": config["n_embd"],
        "num_heads": config["n_head"],
        "drop_rate": config.get("resid_pdrop", 0.0),
    }
