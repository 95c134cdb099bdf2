"""Wrong answers to the exercises of lesson 23."""


def make_windows__the_gap_is_known(series, past, ahead, gap=0):
    pieces = series.unfold(0, past + gap + ahead, 1)
    return pieces[:, gap : past + gap], pieces[:, past + gap :]


def make_windows__no_gap(series, past, ahead, gap=0):
    pieces = series.unfold(0, past + ahead, 1)
    return pieces[:, :past], pieces[:, past:]


def make_windows__apart(series, past, ahead, gap=0):
    pieces = series.unfold(0, past + gap + ahead, past + gap + ahead)
    return pieces[:, :past], pieces[:, past + gap :]


def make_windows__one_overlap(series, past, ahead, gap=0):
    pieces = series.unfold(0, past + gap + ahead, 1)
    return pieces[:, :past], pieces[:, past + gap - 1 : -1]


def rolling_origins__last_one_lost(length, first, ahead):
    return [(range(end), range(end, end + ahead)) for end in range(first, length - ahead, ahead)]


def rolling_origins__half_a_test(length, first, ahead):
    return [(range(end), range(end, min(end + ahead, length))) for end in range(first, length, ahead)]


def rolling_origins__sees_the_test(length, first, ahead):
    return [(range(end + ahead), range(end, end + ahead)) for end in range(first, length - ahead + 1, ahead)]


def rolling_origins__fixed_training(length, first, ahead):
    return [(range(first), range(end, end + ahead)) for end in range(first, length - ahead + 1, ahead)]


def scaled_error__units_of_the_test(truth, forecast, history, season):
    return ((truth - forecast).abs().nanmean() / (truth[1:] - truth[:-1]).abs().nanmean()).item()


def scaled_error__season_of_one(truth, forecast, history, season):
    return ((truth - forecast).abs().nanmean() / (history[1:] - history[:-1]).abs().nanmean()).item()


def scaled_error__nan(truth, forecast, history, season):
    return ((truth - forecast).abs().mean() / (history[season:] - history[:-season]).abs().mean()).item()


def scaled_error__gaps_are_zeros(truth, forecast, history, season):
    unit = (history[season:] - history[:-season]).abs().nan_to_num().mean()
    return ((truth - forecast).abs().nan_to_num().mean() / unit).item()
