"""Checks of the exercises of lesson 23."""

import torch

from torchworks.lessons.checking import expect, expect_close


def make_windows(answer):
    series = torch.arange(8.0)
    given = answer(series.clone(), 3, 2)
    expect(isinstance(given, tuple) and len(given) == 2, "return two tensors, the past and what is to be forecast")
    hint = "A series of 8 has 8 - 3 - 2 + 1 = 4 windows, the first one 0 1 2 and 3 4, the last one 3 4 5 and 6 7."
    starts = torch.arange(4.0)[:, None]
    expect_close(given[0], starts + torch.arange(3.0), hint)
    expect_close(given[1], starts + torch.arange(3.0, 5.0), hint)
    past, target = answer(series.clone(), 3, 2, 2)
    hint = "With a gap of 2 the first window is 0 1 2 and 5 6, the second and last one 1 2 3 and 6 7."
    expect_close(past, starts[:2] + torch.arange(3.0), hint)
    expect_close(target, starts[:2] + torch.arange(5.0, 7.0), hint)


def rolling_origins(answer):
    given = [(list(train), list(test)) for train, test in answer(10, 4, 2)]
    wanted = [(list(range(end)), list(range(end, end + 2))) for end in (4, 6, 8)]
    expect(
        len(given) == 3, f"10 steps, the first 4 for training, leave room for three test parts of 2; got {len(given)}"
    )
    for number, ((train, test), (wanted_train, wanted_test)) in enumerate(zip(given, wanted, strict=True), 1):
        expect(
            not set(train) & set(test), f"part {number}: the steps {sorted(set(train) & set(test))} stand on both sides"
        )
        expect(test == wanted_test, f"part {number} is tested on the steps {wanted_test}; got {test}")
        expect(train == wanted_train, f"part {number} learns from all steps before, {wanted_train}; got {train}")
    given = list(answer(9, 4, 2))
    expect(
        len(given) == 2, f"of 9 steps the last one fills no test part of 2, so there are two parts; got {len(given)}"
    )


def scaled_error(answer):
    history = torch.tensor([1.0, 5.0, 3.0, 7.0, 5.0, 9.0])
    truth, forecast = torch.tensor([7.0, 12.0]), torch.tensor([6.0, 9.0])
    given = answer(truth, forecast, history.clone(), 2)
    expect(isinstance(given, int | float), f"expected a plain number, got a {type(given).__name__}")
    expect_close(
        float(given), 1.0, "Errors of 1 and 3, 2 on average; two steps apart, the history differs by 2: 2 / 2."
    )
    expect_close(
        float(answer(truth, forecast, history.clone(), 1)),
        2 / 3.2,
        "With a season of 1 neighbors of the history are compared: they differ by 4, 2, 4, 2 and 4, by 3.2 on average.",
    )
    gaps = torch.tensor([1.0, 5.0, torch.nan, 7.0, 5.0, 11.0])
    truth, forecast = torch.tensor([7.0, torch.nan, 8.0]), torch.tensor([6.0, 9.0, 11.0])
    given = answer(truth, forecast, gaps, 2)
    expect(given == given, "NaN in the truth or in the history made the score NaN; leave such terms out of both means")
    hint = (
        "Two errors are known, 1 and 3; of the history's differences two, 2 and 4. So 2 / 3, and no zeros in between."
    )
    expect_close(float(given), 2 / 3, hint)
