"""Wrong answers to the exercises of lesson 4."""

import torch


def huber__sign_forgotten(error, delta):
    return torch.where(error <= delta, 0.5 * error**2, delta * (error - delta / 2))


def huber__does_not_fit(error, delta):
    return torch.where(error.abs() <= delta, 0.5 * error**2, error.abs())


def momentum_step__in_place(weight, gradient, velocity, lr, keep):
    velocity *= keep
    velocity += gradient
    return weight - lr * velocity, velocity


def momentum_step__old_velocity(weight, gradient, velocity, lr, keep):
    return weight - lr * velocity, keep * velocity + gradient


def best_constant__always_mean(y, loss):
    return y.mean().item()


def best_constant__swapped(y, loss):
    return (y.median() if loss == "squared" else y.mean()).item()
