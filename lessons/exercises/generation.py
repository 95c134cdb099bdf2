"""Exercises of lesson 30, generation. Put your code where `...` stands, then: make check-lesson NAME=generation"""

from torch import Tensor


def top_p(logits: Tensor, p: float) -> Tensor:
    """The logits (V,) with -infinity in place of all tokens but the fewest, the likeliest first, that have a
    probability of at least `p` together. The likeliest token always stays.
    """
    ...


def perplexity(batches: list[Tensor]) -> float:
    """The perplexity of a text whose tokens were scored in batches.

    Each batch (n,) holds -log p, in nats, of n tokens; n differs from batch to batch.
    """
    ...


def attend(query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None) -> tuple:
    """One step of attention: what the new token looks up, and the cache for the next step.

    `query`, `key` and `value` (1, d) are those of the new token. `cache` holds the keys and values (S, d) of all tokens
    before it, or is None for the first token. Returns the mixed values (1, d), and (keys, values), each (S + 1, d). The
    new token also looks at itself. The cache that was given is not changed.
    """
    ...
