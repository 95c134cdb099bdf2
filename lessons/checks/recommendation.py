"""Checks of the exercises of lesson 24."""

import torch

from torchworks.lessons.checking import expect, expect_close, expect_shape


def last_events(answer):
    users, times = torch.tensor([7, 2, 7, 2, 7, 9]), torch.tensor([50, 10, 90, 30, 60, 5])
    given = answer(users.clone(), times.clone())
    expect_shape(given, (6,))
    expect(given.dtype is torch.bool, f"return booleans, got {given.dtype}")
    hint = "User 7 was there at 50, 90 and 60, so the third event is the last; of user 9 there is only one."
    expect(given.tolist() == [False, False, True, True, False, True], f"{hint} Got {given.tolist()}.")
    given = answer(torch.tensor([1, 1, 1]), torch.tensor([8, 8, 3]))
    expect(
        given.tolist() == [False, True, False],
        f"two events at second 8: the one further down is the last, and only that one; got {given.tolist()}",
    )


def recommend(answer):
    scores = torch.tensor([0.1, 0.9, 0.5, 0.7, 0.3])
    known = torch.tensor([False, True, False, False, False])
    before = scores.clone()
    given = list(answer(scores, known, 2))
    expect(torch.equal(scores, before), "the scores were changed in place; others need them, too")
    expect(1 not in given, f"item 1 has the best score and is known already: leave it out; got {given}")
    expect(given == [3, 2], f"expected [3, 2], best first; got {given}")
    given = list(answer(-scores - 1, known, 2))
    expect(
        given == [0, 4],
        f"all scores were below 0 here: a known item must not get the score 0, which beats them; got {given}",
    )
    given = list(answer(scores, torch.tensor([True, True, True, True, False]), 3))
    expect(given == [4], f"only item 4 is unknown, so the list has one item, not three; got {given}")


def catalogue_shares(answer):
    lists = torch.tensor([[0, 1], [0, 2], [0, 3], [0, 1]])  # 0 four times, 1 twice, 2 and 3 once
    given = answer(lists, 10)
    expect(isinstance(given, tuple) and len(given) == 2, "return two numbers")
    expect_close(float(given[0]), 0.4, "4 of 10 items occur; an item that occurs twice is still one.")
    expect_close(float(given[1]), 0.5, "A tenth is one item: number 0, with 4 of the 8 recommendations.")
    given = answer(lists + 16, 20)
    expect_close(float(given[0]), 0.2, "4 of 20 items occur: items that nobody gets belong to the catalogue, too.")
    expect_close(
        float(given[1]),
        0.75,
        "A tenth of 20 is two items: 4 + 2 of 8. It is the most recommended tenth, not the first.",
    )
