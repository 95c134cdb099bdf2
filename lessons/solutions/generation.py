"""One way to answer the exercises of lesson 30."""

import math

import torch
from torch import Tensor


def top_p(logits: Tensor, p: float) -> Tensor:
    ranked, order = logits.softmax(0).sort(descending=True)
    before = ranked.cumsum(0) - ranked
    keep = order[before < p]
    kept = torch.full_like(logits, -math.inf)
    kept[keep] = logits[keep]
    return kept


def perplexity(batches: list[Tensor]) -> float:
    return torch.cat(batches).mean().exp().item()


def attend(query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None) -> tuple:
    if cache is not None:
        key, value = torch.cat([cache[0], key]), torch.cat([cache[1], value])
    weights = (query @ key.T / math.sqrt(query.shape[1])).softmax(1)
    return weights @ value, (key, value)
