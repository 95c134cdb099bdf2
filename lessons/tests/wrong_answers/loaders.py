"""Wrong answers to the exercises of lesson 6."""

import torch


def split_by_group__samples(groups, fraction, seed):
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed)).tolist()
    count = round(fraction * len(groups))
    return sorted(order[count:]), sorted(order[:count])


def split_by_group__no_seed(groups, fraction, seed):
    chosen = set(sorted(set(groups))[: max(1, round(fraction * len(set(groups))))])
    test = [number for number, group in enumerate(groups) if group in chosen]
    return [number for number in range(len(groups)) if number not in test], test


def pad_collate__floats(samples):
    lengths = torch.tensor([len(sample) for sample in samples])
    padded = torch.zeros(len(samples), int(lengths.max()))
    for row, sample in zip(padded, samples, strict=True):
        row[: len(sample)] = sample
    return padded, lengths


def pad_collate__in_front(samples):
    lengths = torch.tensor([len(sample) for sample in samples])
    padded = samples[0].new_zeros(len(samples), int(lengths.max()))
    for row, sample in zip(padded, samples, strict=True):
        row[-len(sample) :] = sample
    return padded, lengths


def scale_parts__each_by_itself(train, test):
    return (train - train.mean(0)) / train.std(0), (test - test.mean(0)) / test.std(0)


def scale_parts__together(train, test):
    both = torch.cat([train, test])
    return (train - both.mean(0)) / both.std(0), (test - both.mean(0)) / both.std(0)
