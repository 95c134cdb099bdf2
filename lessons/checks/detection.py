"""Checks of the exercises of lesson 21."""

import torch

from torchworks.lessons.checking import expect, expect_close


def iou(answer):
    for a, b, wanted, hint in (
        ((0.0, 0.0, 2.0, 2.0), (0.0, 0.0, 2.0, 2.0), 1.0, "a box and itself"),
        ((0.0, 0.0, 2.0, 2.0), (1.0, 0.0, 3.0, 2.0), 1 / 3, "both cover 2, either covers 6: 4 + 4 - 2"),
        ((0.0, 0.0, 4.0, 4.0), (1.0, 1.0, 3.0, 3.0), 0.25, "the small one lies inside the large one"),
        ((0.0, 0.0, 1.0, 1.0), (2.0, 2.0, 3.0, 3.0), 0.0, "apart in both directions: two negative sides are no area"),
        ((0.0, 0.0, 1.0, 1.0), (1.0, 0.0, 2.0, 1.0), 0.0, "they only touch"),
    ):
        given = answer(a, b)
        expect(isinstance(given, int | float), f"expected a plain number, got a {type(given).__name__}")
        expect_close(float(given), wanted, f"{a} and {b}: {hint}.")


def suppress(answer):
    boxes = [(0.0, 0.0, 10.0, 10.0), (0.0, 1.0, 10.0, 11.0), (0.0, 2.0, 10.0, 12.0), (20.0, 0.0, 30.0, 10.0)]
    given = list(answer(boxes, [0.7, 0.9, 0.8, 0.3], 0.5))
    expect(given == [1, 3], f"expected [1, 3], the surest of three that overlap and the one apart; got {given}")
    given = list(answer(boxes, [0.9, 0.6, 0.8, 0.3], 0.7))
    expect(
        given == [0, 2, 3],
        f"expected [0, 2, 3]: box 1 overlaps the surer box 0 by 0.82, box 2 overlaps it by 0.67 only; got {given}",
    )
    chain = [(0.0, 0.0, 10.0, 10.0), (0.0, 4.0, 10.0, 14.0), (0.0, 8.0, 10.0, 18.0)]
    given = list(answer(chain, [0.9, 0.8, 0.7], 0.4))
    expect(given == [0, 2], f"expected [0, 2]: a box that is struck out strikes out no other; got {given}")


def average_precision(answer):
    for hits, objects, wanted, hint in (
        ([1.0, 1.0], 2, 1.0, "both objects found, and nothing else"),
        ([1.0, 0.0, 1.0], 2, 0.5 + 0.5 * 2 / 3, "the second object is found with a precision of 2 / 3"),
        ([0.0, 1.0, 1.0], 2, 2 / 3, "at the first hit precision is 1 / 2, but further down it is 2 / 3"),
        ([1.0, 0.0], 4, 0.25, "three of four objects are never found"),
        ([], 3, 0.0, "nothing was guessed"),
    ):
        given = answer(torch.tensor(hits), objects)
        expect(isinstance(given, int | float), f"expected a plain number, got a {type(given).__name__}")
        expect_close(float(given), wanted, f"hits {hits} with {objects} objects: {hint}.")
