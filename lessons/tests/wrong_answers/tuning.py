"""Wrong answers to the exercises of lesson 13."""

import torch


def log_uniform__even_numbers(low, high, count, generator):
    return low + (high - low) * torch.rand(count, generator=generator)


def log_uniform__own_chance(low, high, count, generator):
    return low * (high / low) ** torch.rand(count)


def choose__by_test(valid_scores, test_scores):
    best = int(test_scores.argmax())
    return best, float(test_scores[best])


def choose__reports_validation(valid_scores, test_scores):
    best = int(valid_scores.argmax())
    return best, float(valid_scores[best])


def choose__takes_nan(valid_scores, test_scores):
    best = int(valid_scores.argmax())
    return best, float(test_scores[best])


def successive_halving__rounded_down(settings, score, steps):
    alive = list(settings)
    while len(alive) > 1:
        scores = {setting: score(setting, steps) for setting in alive}
        alive = sorted(alive, key=scores.get, reverse=True)[: len(alive) // 2]
        steps *= 2
    return alive[0]


def successive_halving__same_steps(settings, score, steps):
    alive = list(settings)
    while len(alive) > 1:
        scores = {setting: score(setting, steps) for setting in alive}
        alive = sorted(alive, key=scores.get, reverse=True)[: -(-len(alive) // 2)]
    return alive[0]
