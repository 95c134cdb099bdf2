"""Wrong answers to the exercises of lesson 30."""

import math

import torch


def top_p__crossing_token_dropped(logits, p):
    ranked, order = logits.softmax(0).sort(descending=True)
    keep = order[ranked.cumsum(0) <= p]
    kept = torch.full_like(logits, -math.inf)
    kept[keep] = logits[keep]
    return kept


def top_p__not_sorted(logits, p):
    chance = logits.softmax(0)
    return logits.masked_fill(chance.cumsum(0) - chance >= p, -math.inf)


def top_p__left_sorted(logits, p):
    ranked, _ = logits.sort(descending=True)
    chance = ranked.softmax(0)
    return ranked.masked_fill(chance.cumsum(0) - chance >= p, -math.inf)


def top_p__zero_in_place_of_infinity(logits, p):
    ranked, order = logits.softmax(0).sort(descending=True)
    kept = torch.zeros_like(logits)
    keep = order[ranked.cumsum(0) - ranked < p]
    kept[keep] = logits[keep]
    return kept


def top_p__in_place(logits, p):
    ranked, order = logits.softmax(0).sort(descending=True)
    logits[order[ranked.cumsum(0) - ranked >= p]] = -math.inf
    return logits


def perplexity__mean_of_perplexities(batches):
    return sum(batch.mean().exp().item() for batch in batches) / len(batches)


def perplexity__mean_of_means(batches):
    return math.exp(sum(batch.mean().item() for batch in batches) / len(batches))


def perplexity__power_of_two(batches):
    return 2 ** torch.cat(batches).mean().item()


def attend__not_scaled(query, key, value, cache):
    if cache is not None:
        key, value = torch.cat([cache[0], key]), torch.cat([cache[1], value])
    return (query @ key.T).softmax(1) @ value, (key, value)


def attend__not_itself(query, key, value, cache):
    if cache is None:
        return value, (key, value)
    weights = (query @ cache[0].T / math.sqrt(query.shape[1])).softmax(1)
    return weights @ cache[1], (torch.cat([cache[0], key]), torch.cat([cache[1], value]))


def attend__newest_first(query, key, value, cache):
    if cache is not None:
        key, value = torch.cat([key, cache[0]]), torch.cat([value, cache[1]])
    return (query @ key.T / math.sqrt(query.shape[1])).softmax(1) @ value, (key, value)


def attend__forgets(query, key, value, cache):
    return (query @ key.T / math.sqrt(query.shape[1])).softmax(1) @ value, (key, value)
