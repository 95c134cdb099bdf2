"""One way to answer the exercises of lesson 23."""

from torch import Tensor


def make_windows(series: Tensor, past: int, ahead: int, gap: int = 0) -> tuple[Tensor, Tensor]:
    pieces = series.unfold(0, past + gap + ahead, 1)
    return pieces[:, :past], pieces[:, past + gap :]


def rolling_origins(length: int, first: int, ahead: int) -> list[tuple[range, range]]:
    return [(range(end), range(end, end + ahead)) for end in range(first, length - ahead + 1, ahead)]


def scaled_error(truth: Tensor, forecast: Tensor, history: Tensor, season: int) -> float:
    unit = (history[season:] - history[:-season]).abs().nanmean()
    return ((truth - forecast).abs().nanmean() / unit).item()
