"""Wrong answers to the exercises of lesson 22."""

from collections import Counter

import torch


def build_vocabulary__from_zero(texts, least):
    counts = Counter(word for text in texts for word in text.split())
    kept = sorted((word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word))
    return {word: number for number, word in enumerate(kept)}


def build_vocabulary__by_first_appearance(texts, least):
    counts = Counter(word for text in texts for word in text.split())
    return {word: i for i, (word, _) in enumerate(((w, c) for w, c in counts.most_common() if c >= least), 2)}


def build_vocabulary__alphabet_alone(texts, least):
    counts = Counter(word for text in texts for word in text.split())
    return {word: number for number, word in enumerate(sorted(word for word in counts if counts[word] >= least), 2)}


def build_vocabulary__more_than(texts, least):
    counts = Counter(word for text in texts for word in text.split())
    kept = sorted((word for word in counts if counts[word] > least), key=lambda word: (-counts[word], word))
    return {word: number for number, word in enumerate(kept, 2)}


def masked_mean__with_padding(vectors, lengths):
    return vectors.mean(dim=1)


def masked_mean__divided_by_all(vectors, lengths):
    real = torch.arange(vectors.shape[1]) < lengths[:, None]
    return (vectors * real[:, :, None]).mean(dim=1)


def masked_mean__empty_is_nan(vectors, lengths):
    real = torch.arange(vectors.shape[1]) < lengths[:, None]
    return (vectors * real[:, :, None]).sum(dim=1) / lengths[:, None]


def masked_mean__nan_times_zero(vectors, lengths):
    real = torch.arange(vectors.shape[1]) < lengths[:, None]
    return (vectors * real[:, :, None]).sum(dim=1) / lengths[:, None].clamp(min=1)


def reverse_texts__padding_first(words, lengths):
    return words.flip(1)


def reverse_texts__rolled_by_zeros(words, lengths):
    rows = [row[row != 0].flip(0) for row in words]
    return torch.nn.utils.rnn.pad_sequence([*rows, torch.zeros(words.shape[1], dtype=words.dtype)], batch_first=True)[
        :-1
    ]


def reverse_texts__one_off(words, lengths):
    places = torch.arange(words.shape[1]).expand_as(words)
    mirrored = lengths[:, None] - places
    return words.gather(1, torch.where(mirrored >= 0, mirrored, places).clamp(max=words.shape[1] - 1))
