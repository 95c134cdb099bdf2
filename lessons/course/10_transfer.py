# %% [markdown]
# # 10. Transfer learning
#
# A CNN that knows six digits learns four new ones from a handful of images; we measure from how few, and beside what a
# simple method makes of them.
#
# The first layers of a net find strokes and corners, and only the last one knows classes. Strokes are useful for other
# classes, too. So take a net that was trained on much data, keep its body, and give it a new head.

# %%
import copy

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure

digits = load_digits()
y = torch.tensor(digits.target)
x = torch.zeros(len(y), 1, 12, 12)  # each digit somewhere on a larger sheet, so that its place says nothing
places = torch.randint(5, (len(y), 2), generator=torch.Generator().manual_seed(0)).tolist()
for sheet, image, (row, column) in zip(x, torch.tensor(digits.images, dtype=torch.float32), places, strict=True):
    sheet[0, row : row + 8, column : column + 8] = image / 16
known, new = y < 6, y >= 6


def make_body() -> nn.Sequential:
    """An image into 256 features."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 64, 3, padding=1), nn.ReLU(),
        nn.AdaptiveMaxPool2d(2), nn.Flatten(),
    )  # fmt: skip


def fit(net: nn.Module, images: Tensor, labels: Tensor, steps: int, groups: list[dict]) -> None:
    """Train with a learning rate for each group of parameters."""
    optimizer = torch.optim.Adam(groups)
    net.train()
    for _ in range(steps):
        rows = torch.randint(len(images), (min(64, len(images)),))
        loss = F.cross_entropy(net(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()


# %% [markdown]
# ## Learn from what there is plenty of
#
# The digits 0 to 5, of which we have a thousand images. No image of a 6, 7, 8 or 9 is seen here.

# %%
torch.manual_seed(0)
body = make_body()
source = nn.Sequential(body, nn.Linear(256, 6))
fit(source, x[known], y[known], 300, [{"params": source.parameters(), "lr": 2e-3}])
print(f"trained on {int(known.sum())} images of the digits 0 to 5")

# %% [markdown]
# ## Then from a few
#
# Four ways to tell 6, 7, 8 and 9 apart, from `n` images of each:
#
# - **pixels**: the nearest mean image, as in lesson 1. No training at all. The baseline.
# - **from scratch**: the same net, fresh.
# - **frozen**: the body stays as it is, and only a new head learns.
# - **fine-tuned**: the body learns along, at a tenth of the head's rate, for it has something to lose.

# %%
images, labels = x[new], y[new] - 6
METHODS = ("pixels", "from scratch", "frozen", "fine-tuned")


def score(method: str, train: Tensor, test: Tensor) -> float:
    """The accuracy of a method on test images of new digits."""
    if method == "pixels":
        means = torch.stack([images[train][labels[train] == digit].mean(0).flatten() for digit in range(4)])
        guesses = torch.cdist(images[test].flatten(1), means).argmin(dim=1)
        return (guesses == labels[test]).float().mean().item()
    own = make_body() if method == "from scratch" else copy.deepcopy(body)
    head = nn.Linear(256, 4)
    groups = [{"params": head.parameters(), "lr": 5e-3}]
    if method == "frozen":
        own.requires_grad_(False)
    else:
        groups.append({"params": own.parameters(), "lr": 2e-3 if method == "from scratch" else 5e-4})
    net = nn.Sequential(own, head)
    fit(net, images[train], labels[train], 60, groups)
    with torch.no_grad():
        return (net(images[test]).argmax(dim=1) == labels[test]).float().mean().item()


COUNTS, SEEDS = (1, 5, 20), (0, 1, 2)
table = torch.zeros(len(METHODS), len(COUNTS), len(SEEDS))
for place, count in enumerate(COUNTS):
    for seed in SEEDS:
        torch.manual_seed(seed)
        order = torch.randperm(len(images))
        train = torch.cat([order[labels[order] == digit][:count] for digit in range(4)])
        test = order[~torch.isin(order, train)][-400:]
        for row, method in enumerate(METHODS):
            table[row, place, seed] = score(method, train, test)
means = table.mean(dim=2)
print("images of each digit ", *[f"{count:>6}" for count in COUNTS])
for row, method in enumerate(METHODS):
    print(f"{method:<21}", *[f"{value:6.1%}" for value in means[row].tolist()])
scratch, frozen, tuned = means[1], means[2], means[3]
assert tuned[1] > scratch[1] + 0.05
assert frozen[2] > means[0][2] + 0.2

# %% [markdown]
# Three things are in that table.
#
# Pixels are no use as soon as digits stand in different places; in lesson 1, where all stood in the middle, they were
# enough. Which baseline is strong depends on the data.
#
# The body that saw other digits is worth about four times as many images: from five of each it is almost as good as the
# net from scratch with twenty. Transfer buys you data that you do not have. With one image of each, nothing is good.
#
# Freezing or tuning hardly matters here. Freezing is safer with few images and cheaper, as the features need computing
# only once. Tuning wins when the new task lies further away, and there are enough images to improve the body rather
# than to spoil it.
#
# ## The figure
#
# Left: the table, with the spread of three seeds. Right: 400 images of new digits in the features of a body that has
# never seen them, along their two main directions. They overlap! Two directions of 256 are not all: the head finds
# others, in which the classes are apart. A scatter plot can show that classes separate, and never that they do not.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
for row, method in enumerate(METHODS):
    left.errorbar(COUNTS, means[row].numpy(), table[row].std(dim=1).numpy(), marker="o", capsize=3, label=method)
left.set(
    xscale="log", xticks=COUNTS, xticklabels=COUNTS, xlabel="training images of each digit", ylabel="test accuracy"
)
left.minorticks_off()
left.legend()
left.grid(alpha=0.3)
with torch.no_grad():
    features = body(images[:400])
_, _, directions = torch.pca_lowrank(features, q=2)
flat = (features - features.mean(dim=0)) @ directions
for digit in range(4):
    right.scatter(*flat[labels[:400] == digit].T.numpy(), s=12, label=f"{digit + 6}")
right.set(title="new digits, seen by a body trained on 0 to 5", xticks=[], yticks=[])
right.legend()
save_figure(figure, "transfer")

# %% [markdown]
# ## What goes wrong
#
# **Everything is frozen**, the new head as well:
#
# ```python
# import torch
# from torch import nn
#
# net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
# net.requires_grad_(False)
# net(torch.randn(3, 4)).sum().backward()
# ```
# ```text
# RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn
# ```
#
# Freeze first, then put the new head on: new layers can learn.
#
# ```python
# net[2] = nn.Linear(8, 5)
# net(torch.randn(3, 4)).sum().backward()
# assert net[0].weight.grad is None
# ```
#
# **Frozen, but not still.** `requires_grad_(False)` stops gradients. A batch norm's running mean is moved without them,
# by every batch in training mode, and the frozen body changes silently:
#
# ```python
# body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)).requires_grad_(False)
# before = body[1].running_mean.clone()
# body.train()
# body(torch.randn(16, 4))
# print(torch.equal(body[1].running_mean, before))
# ```
# ```text
# False
# ```
#
# A frozen body belongs into evaluation mode, after every `train()` of the whole net:
#
# ```python
# before = body[1].running_mean.clone()
# body.eval()
# body(torch.randn(16, 4))
# assert torch.equal(body[1].running_mean, before)
# ```
#
# **Other preprocessing than in the first training.** No message, only a bad score. The body expects pixels as it learnt
# them: the same range, the same mean, the same order of colors. Save the preprocessing with the weights.
#
# ## Exercises
#
# In `lessons/answers/transfer.py`; check them with `make check-lesson NAME=transfer`.
#
# 1. `nearest_mean`: classify by features, without training.
# 2. `with_new_head`: a frozen body and a head that learns.
# 3. `layer_rates`: lower learning rates for lower layers.
#
# ## Where this lives
#
# - [`transfer.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/classification/transfer.py): the recipe
#   `transfer`, new classes from five images each.
# - [`schedule.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/finetuning/schedule.py): a head first, then the
#   body layer by layer.
# - [`normalization.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/normalization.py) keeps the
#   preprocessing with the model.
