"""Answers that a learner might give to the exercises of lesson 1, and that are wrong.

A function is named after its exercise, and after `__` comes what is wrong with it.
"""

import torch


def standardize(table):
    return (table - table.mean(dim=0)) / table.std(dim=0, correction=0)


def standardize__of_all_numbers(table):
    return (table - table.mean()) / table.std(correction=0)


def one_hot__bool(labels, num_classes):
    return labels[:, None] == torch.arange(num_classes)


def one_hot__turned(labels, num_classes):
    return (labels == torch.arange(num_classes)[:, None]).float()


def pairwise_distances__squared(a, b):
    return (a[:, None] - b[None]).square().sum(dim=2)


def pairwise_distances__without_broadcasting(a, b):
    return (a - b).square().sum(dim=1).sqrt()
