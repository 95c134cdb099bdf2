"""Wrong answers to the exercises of lesson 12."""

import math

import torch


def masked_attention__after_softmax(query, key, value, lengths):
    weights = (query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])).softmax(dim=-1)
    real = torch.arange(key.shape[1]) < lengths[:, None]
    return (weights * real[:, None]) @ value


def masked_attention__over_queries(query, key, value, lengths):
    scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
    return scores.softmax(dim=1) @ value


def split_heads__only_view(x, num_heads):
    batch, length, size = x.shape
    return x.reshape(batch, num_heads, length, size // num_heads)


def split_heads__every_other(x, num_heads):
    batch, length, _ = x.shape
    return x.view(batch, length, -1, num_heads).permute(0, 3, 1, 2)


def positions__halves(length, size):
    angle = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, size, 2) / size)
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def positions__exponent(length, size):
    angle = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(size // 2) / size)
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
