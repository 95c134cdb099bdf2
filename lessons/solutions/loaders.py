"""One way to answer the exercises of lesson 6."""

import torch
from torch import Tensor


def split_by_group(groups: list[str], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    names = sorted(set(groups))  # a set has no order that could be relied on
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
    chosen = {names[place] for place in order[: max(1, round(fraction * len(names)))]}
    test = [number for number, group in enumerate(groups) if group in chosen]
    train = [number for number, group in enumerate(groups) if group not in chosen]
    return train, test


def pad_collate(samples: list[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(sample) for sample in samples])
    padded = samples[0].new_zeros(len(samples), int(lengths.max()))
    for row, sample in zip(padded, samples, strict=True):
        row[: len(sample)] = sample
    return padded, lengths


def scale_parts(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    mean, spread = train.mean(dim=0), train.std(dim=0)
    return (train - mean) / spread, (test - mean) / spread
