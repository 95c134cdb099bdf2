"""Exercises of lesson 23, forecasting. Put your code where `...` stands, then: make check-lesson NAME=forecasting"""

from torch import Tensor


def make_windows(series: Tensor, past: int, ahead: int, gap: int = 0) -> tuple[Tensor, Tensor]:
    """All windows of a series (T,): the past (N, past), and the `ahead` values that are to be forecast, (N, ahead).

    `gap` values lie between the two: nobody knows them yet when the forecast is made, and nobody asks for them.
    N = T - past - gap - ahead + 1.
    """
    ...


def rolling_origins(length: int, first: int, ahead: int) -> list[tuple[range, range]]:
    """Training and test parts of a series of `length` steps, as ranges of numbers of steps.

    The first training part has the first `first` steps. A test part has the `ahead` steps behind its training part,
    and the next training part has these, too. There are as many as there is room for full test parts.
    """
    ...


def scaled_error(truth: Tensor, forecast: Tensor, history: Tensor, season: int) -> float:
    """The mean absolute error of a forecast, divided by the mean |y_t - y_(t - season)| of the history (MASE).

    Unknown values are NaN, in `truth` (H,) and in `history` (T,). What cannot be computed because of one counts for
    nothing.
    """
    ...
