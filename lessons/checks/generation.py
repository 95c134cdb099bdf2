"""Checks of the exercises of lesson 30."""

import math

import torch
from torch.nn import functional as F

from torchworks.lessons.checking import expect, expect_close, expect_shape


def top_p(answer):
    logits = torch.tensor([0.1, 0.5, 0.25, 0.15]).log()
    for p, wanted, hint in (
        (0.6, [1, 2], "0.5 is not enough, 0.5 + 0.25 is"),
        (0.4, [1], "the likeliest alone has 0.5"),
        (0.8, [1, 2, 3], "0.5 + 0.25 is not enough: the token that crosses p stays too"),
        (1.0, [0, 1, 2, 3], "all of them together have 1"),
        (1e-6, [1], "the likeliest always stays"),
    ):
        given = answer(logits.clone(), p)
        expect_shape(given, (4,))
        kept = given.isfinite().nonzero().flatten().tolist()
        expect(
            kept == wanted,
            f"probabilities 0.1, 0.5, 0.25, 0.15 and p = {p}: expected tokens {wanted}, kept {kept}; {hint}.",
        )
        expect(
            torch.equal(given[kept], logits[kept]),
            "the logits that stay must be as they were: neither changed nor sorted.",
        )
        expect(bool((given[~given.isfinite()] == -math.inf).all()), "those that go must be -infinity.")
    kept_as_is = logits.clone()
    answer(kept_as_is, 0.6)
    expect(torch.equal(kept_as_is, logits), "the logits that were given have been changed.")


def perplexity(answer):
    for batches, wanted, hint in (
        ([torch.full((5,), math.log(10.0))], 10.0, "ten equally likely tokens"),
        ([torch.zeros(3)], 1.0, "tokens that were certain"),
        ([torch.tensor([1.0, 1.0]), torch.tensor([3.0, 3.0])], math.exp(2), "e to the mean, not the mean of e to each"),
        (
            [torch.tensor([0.0] * 9), torch.tensor([5.0])],
            math.exp(0.5),
            "a batch of one counts one token, not half of all",
        ),
    ):
        given = answer([batch.clone() for batch in batches])
        expect(isinstance(given, int | float), f"expected a plain number, got a {type(given).__name__}")
        expect_close(float(given), wanted, f"{[batch.tolist() for batch in batches]}: {hint}.", tolerance=1e-4)


def attend(answer):
    torch.manual_seed(3)
    query, key, value = (torch.randn(6, 8) for _ in range(3))
    wanted = F.scaled_dot_product_attention(query[None], key[None], value[None], is_causal=True)[0]
    cache = None
    for i in range(6):
        before = None if cache is None else tuple(part.clone() for part in cache)
        given = answer(query[i : i + 1], key[i : i + 1], value[i : i + 1], cache)
        expect(
            isinstance(given, tuple) and len(given) == 2, f"expected the mixed values and the cache, got {given!r:.60}"
        )
        found, new = given
        if cache is not None:
            expect(
                all(map(torch.equal, cache, before)),
                "the cache that was given has been changed: make a new, longer one.",
            )
        expect(isinstance(new, tuple | list) and len(new) == 2, "the cache must be two tensors: keys and values")
        expect_shape(new[0], (i + 1, 8), f"These are the keys after token {i + 1}.")
        expect(torch.equal(new[0], key[: i + 1]), "the keys must stand in the order of the text, the newest last.")
        expect(torch.equal(new[1], value[: i + 1]), "the values must stand in the order of the text, the newest last.")
        hint = "The first token sees itself alone." if i == 0 else "It sees all before it and itself; is d divided by?"
        expect_close(
            found,
            wanted[i : i + 1],
            f"Token {i + 1}: this is not what the same attention without a cache gives. {hint}",
        )
        cache = tuple(new)
