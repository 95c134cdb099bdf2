"""Wrong answers to the exercises of lesson 3."""

from itertools import pairwise

import torch


def neuron__no_sigmoid(x, weight, bias):
    return x @ weight + bias


def neuron__not_summed(x, weight, bias):
    return torch.sigmoid(x * weight + bias)


def cross_entropy__overflows(logits, labels):
    probabilities = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    return -probabilities[torch.arange(len(labels)), labels].log().mean()


def cross_entropy__sum(logits, labels):
    return -logits.log_softmax(dim=1)[torch.arange(len(labels)), labels].sum()


def count_weights__without_biases(sizes):
    return sum(a * b for a, b in pairwise(sizes))


def count_weights__bias_per_input(sizes):
    return sum(a * b + a for a, b in pairwise(sizes))
