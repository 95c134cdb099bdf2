"""One way to answer the exercises of lesson 22."""

from collections import Counter

import torch
from torch import Tensor


def build_vocabulary(texts: list[str], least: int) -> dict[str, int]:
    counts = Counter(word for text in texts for word in text.split())
    kept = sorted((word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word))
    return {word: number for number, word in enumerate(kept, 2)}


def masked_mean(vectors: Tensor, lengths: Tensor) -> Tensor:
    real = torch.arange(vectors.shape[1]) < lengths[:, None]
    return vectors.masked_fill(~real[:, :, None], 0.0).sum(dim=1) / lengths[:, None].clamp(min=1)


def reverse_texts(words: Tensor, lengths: Tensor) -> Tensor:
    places = torch.arange(words.shape[1]).expand_as(words)
    mirrored = lengths[:, None] - 1 - places
    return words.gather(1, torch.where(mirrored >= 0, mirrored, places))
