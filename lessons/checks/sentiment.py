"""Checks of the exercises of lesson 22."""

import torch

from torchworks.lessons.checking import expect, expect_close


def build_vocabulary(answer):
    texts = ["the soup was dull", "the soup was the best", "superb soup"]
    given = answer(list(texts), 2)
    expect(isinstance(given, dict), f"expected a dictionary, got a {type(given).__name__}")
    expect(set(given) == {"the", "soup", "was"}, f"with least=2 'the', 'soup' and 'was' stay; got {sorted(given)}")
    expect(
        min(given.values()) == 2, f"0 is padding and 1 is unknown, so the first word gets 2; got {min(given.values())}"
    )
    wanted = {"soup": 2, "the": 3, "was": 4}
    expect(
        given == wanted,
        f"'soup' and 'the' stand three times each, so the alphabet decides; 'was' twice: {wanted}; got {given}",
    )
    expect(len(answer(list(texts), 1)) == 6, "with least=1 all six words stay")
    expect(
        answer(["zebra zebra apple"], 1) == {"zebra": 2, "apple": 3}, "the most frequent word comes first, 'zebra' here"
    )


def masked_mean(answer):
    vectors = torch.tensor([[[2.0, 1.0], [4.0, 3.0], [9.0, 9.0]], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    given = answer(vectors.clone(), torch.tensor([2, 3]))
    hint = "The first text has two words, the second one three; what stands in the padding must not matter."
    expect_close(given, torch.tensor([[3.0, 2.0], [3.0, 4.0]]), hint)
    empty = answer(vectors.clone(), torch.tensor([0, 1]))
    expect_close(empty, torch.tensor([[0.0, 0.0], [1.0, 2.0]]), "A text without words gets zeros; 0 / 0 is NaN.")
    broken = vectors.clone()
    broken[0, 2] = torch.nan
    hint = "The padding held NaN here, and NaN times 0 is NaN: fill it with 0 instead of multiplying by 0."
    expect_close(answer(broken, torch.tensor([2, 3])), torch.tensor([[3.0, 2.0], [3.0, 4.0]]), hint)


def reverse_texts(answer):
    words = torch.tensor([[5, 6, 7, 0], [2, 3, 4, 8], [9, 0, 0, 0]])
    wanted = torch.tensor([[7, 6, 5, 0], [8, 4, 3, 2], [9, 0, 0, 0]])
    given = answer(words.clone(), torch.tensor([3, 4, 1]))
    expect_close(given, wanted, f"The words turn round, the padding stays behind: {wanted.tolist()}.")
    within = torch.tensor([[5, 0, 7, 0]])
    hint = "Go by the lengths: in this text of three the middle word had the number 0."
    expect_close(answer(within, torch.tensor([3])), torch.tensor([[7, 0, 5, 0]]), hint)
