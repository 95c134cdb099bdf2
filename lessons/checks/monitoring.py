"""Checks of the exercises of lesson 28."""

import numpy as np

from torchworks.lessons.checking import expect, expect_close


def psi(answer):
    edges = np.array([1.0, 2.0])
    before = np.array([0.5] * 5 + [1.5] * 3 + [2.5] * 2)
    _number(answer(before, before, edges), 0.0, "numbers compared with themselves")
    wanted = (5.5 / 11.5 - 9.5 / 21.5) * np.log(5.5 / 11.5 / (9.5 / 21.5))
    wanted += (3.5 / 11.5 - 1.5 / 21.5) * np.log(3.5 / 11.5 / (1.5 / 21.5))
    wanted += (2.5 / 11.5 - 10.5 / 21.5) * np.log(2.5 / 11.5 / (10.5 / 21.5))
    now = np.array([0.5] * 9 + [1.5] * 1 + [2.5] * 10)
    _number(answer(before, now, edges), wanted, "counts 5, 3, 2 and 9, 1, 10: add 0.5 to each, then divide by the sum")
    outside = answer(before, np.array([-100.0] * 9 + [1.5] * 1 + [100.0] * 10), edges)
    _number(outside, wanted, "numbers far outside belong to the first and the last cell")
    on_edge = answer(before, np.array([1.0] * 9 + [2.0] * 1 + [2.5] * 10), edges)
    _number(on_edge, wanted, "a number on an edge belongs to the cell below it")
    empty = answer(before, np.array([0.5] * 4), edges)
    expect(np.isfinite(empty), f"a cell without rows must not give {empty}: half a row more in each cell")


def ks(answer):
    for before, now, wanted, hint in (
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.0, "the same numbers"),
        ([1.0, 2.0], [3.0, 4.0, 5.0], 1.0, "all of one lie below all of the other"),
        ([1.0, 2.0, 3.0, 4.0], [2.5, 2.5], 0.5, "up to 2 there are 2 of 4 and 0 of 2"),
        ([0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0], 0.25, "up to 0 there are 3 of 4 and 2 of 4: count all zeros"),
        ([5.0, 1.0, 3.0], [4.0, 2.0], 1 / 3, "the numbers need not be sorted"),
        ([3.0, 4.0], [1.0, 2.0, 3.0, 4.0], 0.5, "the gap counts whichever side is ahead"),
    ):  # fmt: skip
        _number(answer(np.array(before), np.array(now)), wanted, f"{before} and {now}: {hint}")


def should_retrain(answer):
    apart = [(0, 100, True), (100, 200, True), (200, 300, True)]
    for windows, needed, wanted, hint in (
        (apart, 3, True, "three in a row without common rows are enough"),
        (apart[:2], 3, False, "there are two, and three are needed"),
        ([(0, 100, True), (10, 110, True), (20, 120, True)], 2, False, "they share rows, so they count once"),
        ([(0, 100, True), (50, 150, True), (100, 200, True)], 2, True, "the third has no row in common with the first"),
        ([(0, 100, True), (100, 200, False), (200, 300, True)], 2, False, "one in between had not drifted: begin anew"),
        ([*apart, (300, 400, False)], 3, False, "the newest window has not drifted, so the drift is over"),
        ([(0, 100, False), (50, 150, True), (150, 250, True)], 2, True, "the first drifted window counts, although it "
         "overlaps with one that had not drifted"),
        ([], 1, False, "there is no window yet"),
    ):  # fmt: skip
        given = answer(list(windows), needed)
        expect(isinstance(given, bool | np.bool_), f"expected True or False, got a {type(given).__name__}")
        expect(bool(given) == wanted, f"{windows} with {needed} needed: expected {wanted}; {hint}.")


def _number(given, wanted, hint):
    expect(isinstance(given, int | float), f"expected a plain number, got a {type(given).__name__}")
    expect_close(float(given), float(wanted), f"{hint}.")
