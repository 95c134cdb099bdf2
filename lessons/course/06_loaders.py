# %% [markdown]
# # 6. Data sets and loaders
#
# We write a data loader in ten lines, and then see the mistake that makes a model look brilliant on pure noise: a leak.
#
# Between files and the training loop stand two things. A **data set** answers "how many samples are there?" and "give
# me number 17". A **loader** decides the order and packs samples into batches. Keep the two apart: the data set knows
# the data, the loader knows the training.

# %%
from collections.abc import Iterator

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

from torchworks.lessons import save_figure
from torchworks.shared.data.split import digests, split


class Digits(Dataset):
    """Handwritten digits: `len(digits)` and `digits[17]` is all that a loader wants."""

    def __init__(self) -> None:
        loaded = load_digits()
        self.images = torch.tensor(loaded.images, dtype=torch.float32) / 16
        self.labels = torch.tensor(loaded.target)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        return self.images[number], self.labels[number]


digits = Digits()
image, label = digits[17]
print(f"{len(digits)} samples; number 17 is a {label} of shape {tuple(image.shape)}")

# %% [markdown]
# ## A loader in ten lines
#
# Shuffle, cut into pieces, stack each piece. The generator has a seed of its own, so that nothing else that draws
# random numbers can change the order.


# %%
def batches(data: Digits, size: int, seed: int, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of one epoch, in an order that seed and epoch decide."""
    generator = torch.Generator().manual_seed(seed * 1000 + epoch)
    for rows in torch.randperm(len(data), generator=generator).split(size):
        samples = [data[row] for row in rows.tolist()]
        yield torch.stack([image for image, _ in samples]), torch.stack([label for _, label in samples])


ours = list(batches(digits, 64, seed=0, epoch=0))
theirs = list(DataLoader(digits, batch_size=64, shuffle=True, generator=torch.Generator().manual_seed(0)))
assert [len(labels) for _, labels in ours] == [len(labels) for _, labels in theirs] == [64] * 28 + [5]
assert torch.equal(torch.cat([labels for _, labels in ours]).sort()[0], digits.labels.sort()[0])  # each sample once
assert torch.equal(ours[0][0], next(batches(digits, 64, 0, 0))[0])  # the same seed, the same batch
assert not torch.equal(ours[0][0], next(batches(digits, 64, 0, 1))[0])  # the next epoch, another order
print(f"{len(ours)} batches; the last holds {len(ours[-1][1])}")

# %% [markdown]
# PyTorch's `DataLoader` adds processes (`num_workers`), which read and decode while the model computes. That pays for
# image files. For data that lie in memory it costs more than it saves, since each sample travels between processes.
#
# ## Rare classes
#
# Say only one sample in twenty is a nine. A model that always says "no nine" is right in 95 % and useless. A
# `WeightedRandomSampler` draws rare samples more often, so that a batch holds as many of each.

# %%
nine = digits.labels == 9
rows = torch.cat([torch.nonzero(~nine).flatten(), torch.nonzero(nine).flatten()[:85]])  # few nines are left
is_nine = nine[rows].long()
weights = 1.0 / torch.bincount(is_nine).float()[is_nine]
sampler = WeightedRandomSampler(weights.tolist(), len(rows), generator=torch.Generator().manual_seed(0))
drawn = is_nine[list(sampler)].float().mean().item()
print(f"nines in the data {is_nine.float().mean():.1%}, in balanced batches {drawn:.1%}")
assert abs(drawn - 0.5) < 0.05

# %% [markdown]
# Balanced batches change what the model believes about how common nines are. Its probabilities are then too high, and
# a threshold must be chosen on data as they really come.
#
# ## The leak
#
# Here is a study with a sensational result. Sixty patients, two thousand measurements of each, and whether they are
# ill. We choose the twenty most telling measurements, split into training and test, train, and find an excellent test
# score. Only: **everything is random**. There is nothing to find. A fair coin would say 50 %.


# %%
def study(choose_before_the_split: bool, seed: int) -> float:
    """Test accuracy of a nearest-mean classifier on noise, with the measurements chosen from all patients or only from
    those of the training part."""
    generator = torch.Generator().manual_seed(seed)
    patients = torch.randn(60, 2000, generator=generator)
    ill = torch.arange(60) % 2  # has nothing to do with the measurements
    shuffled = torch.randperm(60, generator=generator)
    train, test = shuffled[:40], shuffled[40:]
    seen = shuffled if choose_before_the_split else train
    difference = patients[seen][ill[seen] == 1].mean(0) - patients[seen][ill[seen] == 0].mean(0)
    chosen = difference.abs().topk(20).indices
    well, sick = (patients[train][ill[train] == side][:, chosen].mean(0) for side in (0, 1))
    nearest = torch.cdist(patients[test][:, chosen], torch.stack([well, sick])).argmin(1)
    return (nearest == ill[test]).float().mean().item()


leaky = torch.tensor([study(True, seed) for seed in range(60)])
honest = torch.tensor([study(False, seed) for seed in range(60)])
print(f"chosen from all patients {leaky.mean():.1%}, from the training part {honest.mean():.1%} (a coin: 50 %)")
assert leaky.mean() > 0.75
assert abs(honest.mean() - 0.5) < 0.05

# %% [markdown]
# The test patients took part in choosing, and that is enough. The rule: **split first, and let nothing cross**. Not the
# choice of columns, not mean and spread for scaling, not the vocabulary, not the same patient twice, not a second copy
# of an image.
#
# The last one is so common that the packages split by content: equal images always land on the same side.

# %%
twice = torch.cat([digits.images, digits.images])  # every image twice, as in a folder that grew over years
by_content, _ = split(digests(twice), digits.labels.repeat(2).tolist(), 0.3, seed=0)
inside = set(by_content)
assert all((row in inside) == (row + len(digits) in inside) for row in range(len(digits)))
at_random = set(torch.randperm(len(twice))[: int(0.7 * len(twice))].tolist())
leaked = sum((row in at_random) != (row + len(digits) in at_random) for row in range(len(digits))) / len(digits)
print(
    f"a random split puts the two copies of {leaked:.0%} of the images on different sides, a split by content of none"
)
assert leaked > 0.3

# %% [markdown]
# ## The figure
#
# Left: sixty repetitions of the study on noise, with and without the leak. Right: what a batch is made of when the file
# is sorted by class, when it is shuffled, and when it is balanced.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
bins = torch.linspace(0.175, 1.025, 18).tolist()  # of 20 patients, 0, 1, 2 … are right: one bar each
left.hist(honest.numpy(), bins=bins, alpha=0.7, label=f"split first: {honest.mean():.0%}", color="tab:blue")
left.hist(leaky.numpy(), bins=bins, alpha=0.7, label=f"split last: {leaky.mean():.0%}", color="tab:red", hatch="//")
left.axvline(0.5, color="black", linestyle=":")
left.set(title="test accuracy on pure noise, 60 studies", xlabel="accuracy", ylabel="studies")
left.legend()
sorted_labels = digits.labels.sort()[0]
kinds = {
    "sorted": sorted_labels[:640],
    "shuffled": digits.labels[torch.randperm(len(digits), generator=torch.Generator().manual_seed(1))][:640],
    "balanced": torch.arange(640) % 10,
}
shares = torch.cat([torch.stack([batch.bincount(minlength=10) for batch in kind.split(64)]) for kind in kinds.values()])
right.imshow(shares.T.numpy(), cmap="Blues", aspect="auto", vmax=20)
for place, name in zip((4.5, 14.5, 24.5), kinds, strict=True):
    right.text(place, -0.9, name, ha="center")
for place in (9.5, 19.5):
    right.axvline(place, color="black")
right.set(xlabel="batch", ylabel="digit", yticks=range(10))
save_figure(figure, "loaders")

# %% [markdown]
# ## What goes wrong
#
# **Samples of different lengths.** A batch is one tensor, and a tensor has no ragged edge.
#
# ```python
# import torch
# from torch.utils.data import DataLoader
#
# sentences = [torch.ones(3), torch.ones(5)]
# next(iter(DataLoader(sentences, batch_size=2)))
# ```
# ```text
# RuntimeError: stack expects each tensor to be equal size, but got [3] at entry 0 and [5] at entry 1
# ```
#
# Fill up the shorter ones, and remember how long they were:
#
# ```python
# from torch.nn.utils.rnn import pad_sequence
#
#
# def collate(samples):
#     return pad_sequence(samples, batch_first=True), torch.tensor([len(sample) for sample in samples])
#
#
# padded, lengths = next(iter(DataLoader(sentences, batch_size=2, collate_fn=collate)))
# assert padded.shape == (2, 5)
# ```
#
# **A data set that cannot be counted.** The loader shuffles by number and must know how many there are.
#
# ```python
# class Numbers(torch.utils.data.Dataset):
#     def __getitem__(self, number):
#         return torch.tensor(number)
#
#
# DataLoader(Numbers(), shuffle=True)
# ```
# ```text
# TypeError: object of type 'Numbers' has no len()
# ```
#
# ```python
# Numbers.__len__ = lambda self: 10
# DataLoader(Numbers(), shuffle=True)
# ```
#
# **The leak** has no message at all. Its symptom is a score that is too good. Ask of a surprising score first: what did
# the test part touch?
#
# ## Exercises
#
# In `lessons/answers/loaders.py`; check them with `make check-lesson NAME=loaders`.
#
# 1. `split_by_group`: all samples of a patient on one side.
# 2. `pad_collate`: sequences of different lengths in one batch.
# 3. `scale_parts`: scale training and test part without a leak.
#
# ## Where this lives
#
# - [`shared/data/split.py`](../../shared/src/torchworks/shared/data/split.py) splits by content and by class.
# - [`shared/data/loaders.py`](../../shared/src/torchworks/shared/data/loaders.py): `ResidentLoader` is the ten lines
#   above for data in memory; its order survives a restart.
# - [`shared/data/report.py`](../../shared/src/torchworks/shared/data/report.py) is what `check` says about a folder:
#   copies in both parts, rare classes, damaged files.
