"""Checks of the exercises of lesson 13."""

import math

import torch

from torchworks.lessons.checking import expect, expect_shape


def log_uniform(answer):
    given = answer(1e-4, 1.0, 4000, torch.Generator().manual_seed(0))
    expect_shape(given, (4000,))
    expect(bool((given >= 1e-4 * 0.999).all() and (given <= 1.001).all()), "some numbers lie outside of low and high")
    share = (given < 1e-2).float().mean().item()
    expect(
        abs(share - 0.5) < 0.05,
        f"of numbers between 0.0001 and 1, half are below 0.01; here it is {share:.1%}. Draw the exponent evenly.",
    )
    again = answer(1e-4, 1.0, 4000, torch.Generator().manual_seed(0))
    expect(torch.equal(given, again), "the same generator gave other numbers: is it passed to torch.rand?")


def choose(answer):
    valid, test = torch.tensor([0.7, 0.9, 0.8]), torch.tensor([0.75, 0.6, 0.95])
    given = answer(valid, test)
    expect(isinstance(given, tuple) and len(given) == 2, "expected two things: an index and a score")
    expect(
        int(given[0]) == 1, f"validation scores {valid.tolist()}: expected index 1, got {given[0]}. Test chooses not."
    )
    expect(
        math.isclose(float(given[1]), 0.6, abs_tol=1e-6),
        f"expected the score on test, 0.6, got {float(given[1]):.3g}: the score that chose is too good to report",
    )
    found = answer(torch.tensor([0.7, math.nan, 0.8]), test)
    expect(int(found[0]) == 2, "a trial whose score is NaN was taken: PyTorch calls NaN the largest of all numbers")


def successive_halving(answer):
    asked = []

    def score(setting, steps):
        asked.append((setting, steps))
        return -abs(setting - 3.0) + (10.0 if setting == 7.0 and steps < 4 else 0.0)  # 7 starts fast and ends badly

    settings = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    given = answer(settings, score, 2)
    rounds = [sum(steps == each for _, steps in asked) for each in (2, 4, 8)]
    expect(
        rounds == [7, 4, 2],
        f"expected 7 trainings of 2 steps, 4 of 4 and 2 of 8, got {rounds}: halves are rounded up, steps are doubled",
    )
    expect(len(asked) == 13, f"expected 13 trainings in all, got {len(asked)}: score each setting once in a round")
    expect(given == 3.0, f"expected 3.0 to survive, got {given}: keep those with the highest scores")
    expect(settings == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "the list that was given has been changed")
