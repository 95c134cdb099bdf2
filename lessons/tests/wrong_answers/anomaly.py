"""Wrong answers to the exercises of lesson 25."""

import torch


def anomaly_scores__one_for_all(model, x):
    model.eval()
    with torch.no_grad():
        return (model(x) - x).square().mean()


def anomaly_scores__over_the_samples(model, x):
    model.eval()
    with torch.no_grad():
        return (model(x) - x).square().mean(dim=0)


def anomaly_scores__last_axis_only(model, x):
    model.eval()
    with torch.no_grad():
        return (model(x) - x).square().mean(dim=-1)


def anomaly_scores__in_training_mode(model, x):
    with torch.no_grad():
        return (model(x) - x).square().flatten(1).mean(dim=1)


def anomaly_scores__sum(model, x):
    model.eval()
    with torch.no_grad():
        return (model(x) - x).square().flatten(1).sum(dim=1)


def choose_threshold__other_end(normal_scores, rate):
    if len(normal_scores) * rate < 1:
        raise ValueError
    return normal_scores.sort().values[int(len(normal_scores) * rate)].item()


def choose_threshold__one_off(normal_scores, rate):
    if len(normal_scores) * rate < 1:
        raise ValueError
    return normal_scores.sort(descending=True).values[int(len(normal_scores) * rate) - 1].item()


def choose_threshold__three_deviations(normal_scores, rate):
    return (normal_scores.mean() + 3 * normal_scores.std()).item()


def choose_threshold__from_too_few(normal_scores, rate):
    return normal_scores.sort(descending=True).values[int(len(normal_scores) * rate)].item()


def precision__without_base_rate(base_rate, found, false_alarms):
    return found / (found + false_alarms) if found + false_alarms else float("nan")


def precision__of_all_samples(base_rate, found, false_alarms):
    return base_rate * found + (1 - base_rate) * (1 - false_alarms)


def precision__nothing_is_zero(base_rate, found, false_alarms):
    right, false = base_rate * found, (1 - base_rate) * false_alarms
    return right / (right + false) if right + false else 0.0
