"""Checks of the exercises of lesson 6."""

import torch

from torchworks.lessons.checking import expect, expect_close


def split_by_group(answer):
    groups = [f"patient {number % 10}" for number in range(60)]
    given = answer(groups, 0.3, 0)
    expect(isinstance(given, tuple) and len(given) == 2, "return (train, test), two lists of numbers")
    train, test = (list(part) for part in given)
    expect(sorted(train + test) == list(range(60)), "each sample belongs into exactly one part, all 60 of them")
    shared = {groups[number] for number in train} & {groups[number] for number in test}
    expect(not shared, f"{len(shared)} of 10 patients are on both sides: choose patients, not samples")
    expect(train == sorted(train) and test == sorted(test), "the numbers are to ascend")
    count = len({groups[number] for number in test})
    expect(count == 3, f"with fraction 0.3, 3 of 10 patients belong into the test part, not {count}")
    expect(answer(groups, 0.3, 0) == given, "the same seed gave another split: a set has no order, so sort")
    expect(len({str(answer(groups, 0.3, seed)) for seed in range(8)}) > 1, "eight seeds gave the same split")
    expect(len(answer(["a", "b", "b"], 0.1, 0)[1]) >= 1, "at least one group goes to the test part")


def pad_collate(answer):
    samples = [torch.tensor([5, 6, 7]), torch.tensor([8]), torch.tensor([9, 1])]
    given = answer([sample.clone() for sample in samples])
    expect(isinstance(given, tuple) and len(given) == 2, "return the batch and the lengths")
    padded, lengths = given
    expect_close(padded, torch.tensor([[5, 6, 7], [8, 0, 0], [9, 1, 0]]), "Fill up behind, as far as the longest.")
    expect(padded.dtype == torch.int64, f"token numbers are int64 and must stay so; the batch is {padded.dtype}")
    expect_close(lengths, torch.tensor([3, 1, 2]), "These were the lengths.")
    expect(answer([torch.tensor([0.5])])[0].dtype == torch.float32, "float32 samples make a float32 batch")


def scale_parts(answer):
    train, test = torch.randn(40, 3) * 4 + 7, torch.randn(10, 3) * 4 + 9
    given = answer(train.clone(), test.clone())
    expect(isinstance(given, tuple) and len(given) == 2, "return both tables")
    expect_close(given[0].mean(dim=0), torch.zeros(3), "This was the mean of the training part.", 1e-4)
    expect_close(given[0].std(dim=0), torch.ones(3), "This was the training part's standard deviation.", 0.03)
    moved = answer(train.clone(), test + 100)[0]
    expect(torch.allclose(moved, given[0], atol=1e-4), "other test data changed the training part: that is a leak")
    wanted = (test - train.mean(dim=0)) / train.std(dim=0)
    expect_close(given[1], wanted, "This was the test part: scale it by the training part's numbers.", 0.03)
