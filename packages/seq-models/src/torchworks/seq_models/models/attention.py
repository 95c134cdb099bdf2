"""Attention: every token takes a weighted mean of what the tokens it may look at say.

Vaswani et al. 2017, "Attention Is All You Need" (arXiv:1706.03762), section 3.2.

The idea: a token asks by a query q, every token answers by a key k and says a value v. How well the key fits the query
decides how much of the value is taken:

    attention(Q, K, V) = softmax(Q Kᵀ / √d) V                                                          (equation 1)
    head_i = attention(x W_i^Q, x W_i^K, x W_i^V),    output = [head_1, …, head_h] W^O                   (section 3.2.2)

`attention_equations` is equation 1 as it stands. `attention` is the same by PyTorch's fused operator, which holds no
T × S matrix of weights; tests hold the two together in float64, with gradients.

Which tokens a token may look at is a mask, True where it may (`visible`): all real ones (an encoder), those up to
itself (a decoder: `causal`), those at most `window` tokens away (Beltagy et al. 2020, arXiv:2004.05150, section 3.1). A
query that may look at nothing takes 0, where the equation has 0/0. Masks of `visible` leave none such: padding looks at
itself, so that no graph of any runtime makes a NaN of it, and nobody looks at padding.

Where a token stands follows from the mask of real tokens (`positions_of`), never from the place in the tensor, so
padding at the beginning, at the end or in the middle of a row changes nothing.

- Grouped queries (Ainslie et al. 2023, arXiv:2305.13245): g < h heads of keys and values, each for h / g heads of
  queries; g = 1 is multi-query attention. The cache is h / g times smaller.
- Rotary positions (Su et al. 2021, arXiv:2104.09864, equation 34): queries and keys are rotated by angles that grow
  with the position, so their product knows the distance only. Neighboring channels (2i, 2i + 1) are a pair, as in the
  paper; some implementations pair channel i with i + d/2, which is another order of the same channels.
- A cache holds the keys and values of earlier tokens, so that a new token costs one query and not T of them.

Shape letters: B rows, T tokens that ask, S tokens that answer, E embed_dim, h heads of queries, g heads of keys and
values, d = E / h channels of a head, L layers, C tokens that a cache has room for.
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# ------------------------------------------------------------------------------------------ equation 1, twice


def attention_weights(
    q: Tensor, k: Tensor, mask: Tensor | None = None, *, bias: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """softmax(Q Kᵀ / √d): how much each of T queries (B, h, T, d) takes of each of S keys (B, g, S, d), (B, h, T, S).
    Each row sums to 1, or is 0 where a query may look at nothing; see `attention` for the rest."""
    k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)  # (B, h, S, d)
    scores = q @ k.transpose(2, 3) * (q.shape[-1] ** -0.5 if scale is None else scale)  # (B, h, T, S)
    if bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return _softmax_or_zero(scores)


def attention_equations(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Queries (B, h, T, d), keys and values (B, g, S, d) → (B, h, T, d): equation 1."""
    v = v.repeat_interleave(q.shape[1] // v.shape[1], 1)  # (B, h, S, d)
    return attention_weights(q, k, mask, bias=bias, scale=scale) @ v


def _softmax_or_zero(scores: Tensor) -> Tensor:
    """softmax over the last size, and 0 where all scores are -∞."""
    largest = scores.detach().amax(-1, keepdim=True).clamp_min(torch.finfo(scores.dtype).min)
    weights = torch.exp(scores - largest)  # at most 1, so that nothing overflows
    total = weights.sum(-1, keepdim=True)
    return weights / total.where(total > 0, 1)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    bias: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
    drop_rate: float = 0.0,
) -> Tensor:
    """Queries (B, h, T, d), keys and values (B, g, S, d), g dividing h, → (B, h, T, d), by the fused operator.

    `mask`, bool and broadcastable to (B, h, T, S), is True where a query may look; a query that may look at nothing
    takes 0. `bias` (broadcastable likewise) is added to the scores. `causal` stands for the mask of the lower triangle,
    with T = S. `scale` is 1/√d if not given. `drop_rate` is the share of weights dropped in training.
    """
    if bias is not None:
        mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
        if torch.compiler.is_exporting():
            mask = mask.detach()  # a bias with a gradient chooses another kernel, whose strides the exporter trips over
    grouped = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, dropout_p=drop_rate, is_causal=causal, scale=scale, enable_gqa=grouped
    )


def attention_in_parts(
    q: Tensor, past: tuple[Tensor, Tensor], new: tuple[Tensor, Tensor], masks: tuple[Tensor, Tensor]
) -> Tensor:
    """Equation 1 of keys and values that lie in two places, `past` (B, h, S, d) and `new` (B, h, T, d): (B, h, T, d).

    What is put together are scores, which are small, and not keys and values, most of which were there before: copying
    those is most of what a step costs in an exported graph. `masks`, bool (B, 1, 1 or T, S) and (B, 1, T, T), are True
    where a query may look, which it may somewhere.
    """
    parts = [
        (q @ k.transpose(2, 3) * q.shape[-1] ** -0.5).masked_fill(~mask, -torch.inf)
        for (k, _), mask in zip((past, new), masks, strict=True)
    ]
    weights = torch.cat(parts, 3).softmax(3).split([past[0].shape[2], new[0].shape[2]], 3)
    return weights[0] @ past[1] + weights[1] @ new[1]


def masks_and_positions(past_real: Tensor, real: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Where new tokens may look, at earlier places and at new ones, as `attention_in_parts` wants it; and the positions
    of the new tokens, int64 (B, T). `past_real` is bool (B, S), `real` (B, T). Every token may look at itself, padding
    too."""
    new = real.shape[1]
    places = torch.arange(new, device=real.device)
    earlier, itself = places[:, None] >= places, places[:, None] == places  # (T, T)
    among_new = (real[:, None, :] & earlier) | itself
    positions = past_real.sum(1, keepdim=True) + positions_of(real)
    return (past_real[:, None, None, :], among_new[:, None]), positions


# ------------------------------------------------------------------------------------------- who sees whom


def positions_of(real: Tensor) -> Tensor:
    """Real tokens are numbered from 0 in each row, whatever padding stands between: bool (B, S) → int64 (B, S)."""
    return (real.long().cumsum(1) - 1).clamp_min(0)


def visible(real: Tensor, new: int | None = None, *, causal: bool = False, window: int | None = None) -> Tensor:
    """Which of S tokens each of the last `new` of them (all, if None) may look at: bool (B, 1, new, S).

    `real`, bool (B, S), is False where a row is padded. `causal`: at tokens up to itself. `window`: at those less than
    `window` positions away. Every token may look at itself, padding too, so that no row is without any.
    """
    size = real.shape[1]
    new = size if new is None else new
    positions, places = positions_of(real), torch.arange(size, device=real.device)
    asks, answers = newest(positions, new)[:, :, None], positions[:, None, :]  # (B, new, 1), (B, 1, S)
    seen = real[:, None, :].expand(-1, new, -1)
    if causal:
        seen = seen & (answers <= asks)
    if window is not None:
        seen = seen & ((asks - answers).abs() < window)
    itself = newest(places[None], new)[0, :, None] == places
    return (seen | itself)[:, None]


def newest(values: Tensor, new: int) -> Tensor:
    """The last `new` of each row: (B, S) → (B, new). By numbers: a slice would fix in an exported graph whether it is
    the whole row."""
    return values[:, torch.arange(new, device=values.device) + (values.shape[1] - new)]


def mask_and_positions(
    real: Tensor | None, used: int, tokens: Tensor, *, causal: bool = True
) -> tuple[Tensor | None, Tensor]:
    """Where new `tokens` (B, T) may look, after `used` (S) in a cache: bool (B, 1, T, S + T), or None; and the
    positions of all, int64 (B or 1, S + T). `real` is bool (B, S + T), or None if all are real.

    None stands for: anywhere, if they are one token or not `causal`; else for the lower triangle.
    """
    new = tokens.shape[1]
    if real is not None:
        return visible(real, new, causal=causal), positions_of(real)
    assert used == 0 or new == 1, "several tokens after a cache need `real`"
    return None, torch.arange(used + new, device=tokens.device)[None]


def last_real(hidden: Tensor, real: Tensor) -> Tensor:
    """What stands at each row's last real token: (B, T, E) → (B, E)."""
    places = torch.arange(real.shape[1], device=real.device)
    last = (real * places).argmax(1)  # (B,)
    return hidden.gather(1, last[:, None, None].expand(-1, 1, hidden.shape[2]))[:, 0]


def rotary(x: Tensor, positions: Tensor, base: float = 10_000.0) -> Tensor:
    """Rotate each pair of channels of queries or keys (B, h, T, d) by its angle, position · base^(-2i/d) (Su et al.,
    equations 15 and 34). `positions` is int64 (B, T)."""
    channels = x.shape[-1]
    exponents = torch.arange(0, channels, 2, device=x.device, dtype=torch.float64) / channels
    angles = positions[:, None, :, None] * base**-exponents  # (B, 1, T, d/2)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2)


# ------------------------------------------------------------------------------------------------- caches


class LayerCache(Protocol):
    """The keys and values of one layer's earlier tokens. Under autocast it keeps the precision of the weights."""

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keep those of new tokens, (B, g, T, d) each, and return all: (B, g, S + T, d) each."""
        ...


class ConcatenatedCache:
    """A cache that never writes into a tensor, as an exported graph needs it. `past` is (B, 2, g, S, d), S ≥ 0."""

    def __init__(self, past: Tensor):
        self.past = past

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.past = torch.cat([self.past, torch.stack([k, v], 1).to(self.past.dtype)], 3)
        k, v = self.past.to(k.dtype).unbind(1)
        return k, v


class SeparateCache:
    """A cache that neither writes into a tensor nor copies one, for exported graphs that read long texts token by
    token: earlier keys and values `past` (B, h, S, d) stay where they are, those of the `new` tokens beside them.
    Attention is then `attention_in_parts`."""

    def __init__(self, keys: Tensor, values: Tensor, masks: tuple[Tensor, Tensor]):
        self.past, self.new, self.masks = (keys, values), (keys, values), masks

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Keep the keys and values of new tokens, and look at all: (B, h, T, d)."""
        self.new = k, v
        return attention_in_parts(q, self.past, self.new, self.masks)


class BufferedCache:
    """A cache that writes into a buffer (B, 2, g, C, d), `used` of whose C places hold tokens: nothing is copied."""

    def __init__(self, buffer: Tensor, used: int):
        self.buffer, self.used = buffer, used

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        end = self.used + k.shape[2]
        self.buffer[:, 0, :, self.used : end] = k
        self.buffer[:, 1, :, self.used : end] = v
        self.used = end
        return self.buffer[:, 0, :, :end].to(k.dtype), self.buffer[:, 1, :, :end].to(k.dtype)


def with_room(cache: Tensor, size: int, least: int = 64) -> Tensor:
    """`cache` (B, L, 2, g, C, d) itself if it has room for `size` tokens, else a copy with room for twice as many: so a
    token is copied a few times in all, however long the text becomes."""
    room = cache.shape[4]
    if size <= room:
        return cache
    larger = cache.new_zeros((*cache.shape[:4], max(2 * size, least), cache.shape[5]))
    larger[..., :room, :] = cache
    return larger


# -------------------------------------------------------------------------------------------- many heads


class MultiHeadAttention(nn.Module):
    """Section 3.2.2, (B, T, E) → (B, T, E). Parameters have the names and shapes of `nn.MultiheadAttention`'s.

    `num_kv_heads` (g) below `num_heads` makes grouped queries: `in_proj_weight` then has E + 2·g·d rows. `rotary_base`
    makes positions rotary; without, attention knows of no order but the mask's.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        num_kv_heads: int | None = None,
        drop_rate: float = 0.0,
        rotary_base: float | None = None,
    ):
        super().__init__()
        num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        check_heads(embed_dim, num_heads, num_kv_heads)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, embed_dim // num_heads
        self.drop_rate, self.rotary_base = drop_rate, rotary_base
        width = embed_dim + 2 * num_kv_heads * self.head_dim
        self.in_proj_weight = nn.Parameter(torch.empty(width, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(width))
        self.out_proj = nn.Linear(embed_dim, embed_dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        *,
        causal: bool = False,
        positions: Tensor | None = None,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """Tokens look at each other, and at those in `cache`. `mask` and `causal` as of `attention`; `positions`, int64
        (B, T), are needed for rotary ones."""
        q, k, v = self._heads(F.linear(x, self.in_proj_weight, self.in_proj_bias))
        if self.rotary_base is not None:
            assert positions is not None, "rotary positions need positions"
            q, k = (rotary(each, positions, self.rotary_base) for each in (q, k))
        if cache is not None:
            k, v = cache.extend(k, v)
        return self._output(q, k, v, mask, causal)

    def look_at(self, x: Tensor, keys_values: tuple[Tensor, Tensor], mask: Tensor | None = None) -> Tensor:
        """Tokens look at other tokens, whose `keys_values` are known (a decoder at the source)."""
        return self._output(self.queries(x), *keys_values, mask, False)

    def queries(self, x: Tensor) -> Tensor:
        """What tokens (B, T, E) ask others: (B, h, T, d)."""
        width = self.out_proj.in_features
        q = F.linear(x, self.in_proj_weight[:width], self.in_proj_bias[:width])  # (B, T, E)
        return q.unflatten(2, (self.num_heads, -1)).transpose(1, 2)

    def keys_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """What tokens (B, S, E) answer to those that look at them: keys and values, (B, g, S, d) each."""
        width = self.out_proj.in_features
        kv = F.linear(memory, self.in_proj_weight[width:], self.in_proj_bias[width:])  # (B, S, 2·g·d)
        kv = kv.unflatten(2, (2, self.num_kv_heads, self.head_dim))  # (B, S, 2, g, d)
        k, v = kv.permute(2, 0, 3, 1, 4)
        return k, v

    def _heads(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, E + 2·g·d) → (B, h, T, d) and twice (B, g, T, d)."""
        heads = (self.num_heads, self.num_kv_heads, self.num_kv_heads)
        q, k, v = qkv.unflatten(2, (-1, self.head_dim)).transpose(1, 2).split(heads, 1)
        return q, k, v

    def _output(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        drop_rate = self.drop_rate if self.training else 0.0
        heads = attention(q, k, v, mask, causal=causal, drop_rate=drop_rate)  # (B, h, T, d)
        return self.out_proj(heads.transpose(1, 2).flatten(2))  # (B, T, E)


def check_heads(embed_dim: int, num_heads: int, num_kv_heads: int | None = None) -> None:
    """Raise `ValueError` unless the heads share the channels evenly, and the queries the keys."""
    if embed_dim % num_heads:
        raise ValueError(f"embed_dim {embed_dim} does not divide into {num_heads} heads: take a multiple of it.")
    if num_kv_heads is not None and num_heads % num_kv_heads:
        raise ValueError(
            f"{num_heads} heads of queries cannot share {num_kv_heads} heads of keys and values evenly: take a divisor."
        )
