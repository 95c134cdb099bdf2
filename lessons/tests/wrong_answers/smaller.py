"""Wrong answers to the exercises of lesson 17."""

import torch
from torch import nn


def quantize_rows__one_scale(weight):
    scale = (weight.abs().amax() / 127).expand(len(weight), 1)
    return (weight / scale).round().to(torch.int8), scale


def quantize_rows__cut_not_rounded(weight):
    scale = weight.abs().amax(dim=1, keepdim=True) / 127
    return (weight / scale.clamp(min=1e-12)).to(torch.int8), scale


def quantize_rows__nan(weight):
    scale = weight.abs().amax(dim=1, keepdim=True) / 127
    return torch.where(scale > 0, weight / scale, 5.0).round().to(torch.int8), scale


def prune_smallest__signed(weight, count):
    pruned = weight.clone()
    pruned.view(-1)[weight.flatten().argsort()[:count]] = 0.0
    return pruned


def prune_smallest__in_place(weight, count):
    weight.view(-1)[weight.abs().flatten().argsort()[:count]] = 0.0
    return weight


def remove_neurons__rows_of_the_second(first, second, keep):
    narrow, after = nn.Linear(3, len(keep)), nn.Linear(len(keep), 2)
    narrow.weight.data, narrow.bias.data = first.weight.data[keep], first.bias.data[keep]
    after.weight.data, after.bias.data = second.weight.data[:, : len(keep)], second.bias.data
    return narrow, after


def remove_neurons__bias_forgotten(first, second, keep):
    narrow, after = nn.Linear(3, len(keep)), nn.Linear(len(keep), 2)
    narrow.weight.data, narrow.bias.data = first.weight.data[keep], first.bias.data[: len(keep)]
    after.weight.data, after.bias.data = second.weight.data[:, keep], second.bias.data
    return narrow, after
