"""Checks of the exercises of lesson 12."""

import torch
from torch.nn import functional as F

from torchworks.lessons.checking import expect, expect_close, expect_shape


def masked_attention(answer):
    query, key, value = torch.randn(2, 3, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    full = answer(query, key, value, torch.tensor([5, 5]))
    hint = "Compare, divide by the root of d, softmax over the keys, mix the values."
    expect_close(full, F.scaled_dot_product_attention(query, key, value), f"This was without padding. {hint}")
    lengths = torch.tensor([2, 5])
    given = answer(query, key, value, lengths)
    noise = torch.randn(3, 8) * 100
    other_key, other_value = key.clone(), value.clone()
    other_key[0, 2:], other_value[0, 2:] = noise, noise
    moved = answer(query, other_key, other_value, lengths)
    expect(torch.allclose(moved[0], given[0]), "what stands in the padding changed the answer: block it before softmax")
    wanted = F.scaled_dot_product_attention(query[:1], key[:1, :2], value[:1, :2])
    expect_close(given[:1], wanted, "The weights of the two real keys must sum to 1: -inf before softmax, not 0 after.")


def split_heads(answer):
    x = torch.arange(24.0).view(1, 3, 8)
    given = answer(x, 2)
    expect_shape(given, (1, 2, 3, 4))
    expect_close(given[0, 0], x[0, :, :4], "Head 0 has the first half of each place: view, then transpose.")
    expect_close(given[0, 1], x[0, :, 4:], "Head 1 has the second half of each place.")


def positions(answer):
    given = answer(6, 8)
    expect_shape(given, (6, 8))
    expect_close(given[0], torch.tensor([0.0, 1.0] * 4), "At place 0 sines are 0 and cosines 1, in turns.")
    place = torch.arange(6.0)
    expect_close(given[:, 0], place.sin(), "Column 0 is sin(p).")
    expect_close(given[:, 3], (place / 10).cos(), "Column 3 belongs to i = 1: cos(p / 10000^(2/8)) = cos(p / 10).")
    expect_close(given[:, 6], (place / 1000).sin(), "Column 6 belongs to i = 3: sin(p / 10000^(6/8)) = sin(p / 1000).")
