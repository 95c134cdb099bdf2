# %% [markdown]
# # 7. Saving, resuming, fine-tuning
#
# A training that is stopped and resumed ends in the same weights, bit for bit; then a saved model learns something new,
# and we watch it forget the old.
#
# A trained model is a few tensors with names. What you must save beside them depends on what you want to do later: use
# the model, or go on training as if nothing had happened.

# %%
import copy
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32) / 16
labels = torch.tensor(digits.target)
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
train, test = order[:1000], order[1000:]
folder = Path(tempfile.mkdtemp())


def make_model() -> nn.Sequential:
    """Pixels in, ten scores out."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of right answers."""
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(dim=1) == y).float().mean().item()


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, count: int) -> None:
    """Train for some steps on random batches of 64."""
    model.train()
    for _ in range(count):
        rows = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


torch.manual_seed(0)
model = make_model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
steps(model, optimizer, images[train], labels[train], 300)
print(f"trained: {accuracy(model, images[test], labels[test]):.1%}")

# %% [markdown]
# ## Save names and numbers, not objects
#
# `state_dict()` is a dictionary of tensors. `safetensors` writes it as a table of contents followed by the raw numbers.
# `torch.save(model)` instead writes a **pickle**: instructions for rebuilding a Python object. Whoever loads it runs
# these instructions, whatever they are, and it breaks when you rename a class. Save tensors; keep the code in git.

# %%
save_file(model.state_dict(), folder / "model.safetensors")
again = make_model()
again.load_state_dict(load_file(folder / "model.safetensors"))
assert torch.equal(again.eval()(images[test]), model.eval()(images[test]))
print("state_dict:", ", ".join(f"{name} {tuple(value.shape)}" for name, value in model.state_dict().items()))

# %% [markdown]
# ## Resume as if nothing had happened
#
# Weights are not all that a training knows. Adam remembers two averages for each weight, and the random numbers stand
# somewhere in their sequence, which decides the next batch and the next dropout mask. We stop after 100 steps of 200,
# and go on once with everything and once with the weights alone.


# %%
def train_200(stop: bool = False, everything: bool = True) -> Tensor:
    """All weights after 200 steps, as one row."""
    torch.manual_seed(1)
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    steps(model, optimizer, images[train], labels[train], 100)
    if stop:
        saved = copy.deepcopy((model.state_dict(), optimizer.state_dict(), torch.get_rng_state()))
        torch.manual_seed(99)  # another day, another process
        model = make_model()
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        model.load_state_dict(saved[0])
        if everything:
            optimizer.load_state_dict(saved[1])
            torch.set_rng_state(saved[2])
    steps(model, optimizer, images[train], labels[train], 100)
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


whole = train_200()
assert torch.equal(train_200(stop=True), whole)
apart = (train_200(stop=True, everything=False) - whole).abs().max().item()
print(f"resumed with everything: the same bits; with weights only: up to {apart:.2f} apart")
assert apart > 0.01

# %% [markdown]
# ## Fine-tuning, and forgetting
#
# The camera was mounted the wrong way: new images are moved by 90 degrees. We have 100 of them with labels. Three
# ways:
#
# - **from scratch**, on the 100 new images;
# - **fine-tuned**: start from the trained weights, at a lower rate, on the 100 new images;
# - **mixed**: the same, but half of each batch are old images.

# %%
moved = images.roll(-1, dims=2)
few = train[:50]
RATE, EVALUATIONS = 3e-3, 20


def tune(model: nn.Module, x: Tensor, y: Tensor, rate: float) -> list[tuple[float, float]]:
    """The accuracy on old and on new test images, before training and during 200 steps."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    history = []
    for _ in range(EVALUATIONS + 1):
        history.append((accuracy(model, images[test], labels[test]), accuracy(model, moved[test], labels[test])))
        steps(model, optimizer, x, y, 10)
    return history


torch.manual_seed(2)
start = load_file(folder / "model.safetensors")
scratch, tuned, mixed = make_model(), make_model(), make_model()
tuned.load_state_dict(start)
mixed.load_state_dict(start)
both_x, both_y = torch.cat([moved[few], images[few]]), labels[few].repeat(2)
histories = {
    "from scratch": tune(scratch, moved[few], labels[few], RATE),
    "fine-tuned": tune(tuned, moved[few], labels[few], RATE),
    "mixed with old images": tune(mixed, both_x, both_y, RATE),
}
for name, history in histories.items():
    print(f"{name:<22} new {history[-1][1]:.1%}, old {history[-1][0]:.1%}")
before = histories["fine-tuned"][0]
print(f"{'before':<22} new {before[1]:.1%}, old {before[0]:.1%}")
assert histories["fine-tuned"][-1][1] > before[1] + 0.3
assert histories["fine-tuned"][-1][1] > histories["from scratch"][-1][1]
assert histories["fine-tuned"][-1][0] < before[0] - 0.05
assert histories["mixed with old images"][-1][0] > histories["fine-tuned"][-1][0]

# %% [markdown]
# The tuned model reads the new images a little better than one from scratch, and is worse on the old ones: nobody asked
# it to keep them. This is **catastrophic forgetting**. If the old task still matters, keep old samples in the mix,
# which costs some of the new score, and keep measuring both.
#
# Fine-tuning's lead is small here, because this net knows pixels by their place and has little to pass on. Lesson 10
# shows where transfer pays.
#
# ## The figure
#
# Accuracy on new (solid) and old images (dashed) during the 200 steps.

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), sharey=True)
for axis, (name, history) in zip(axes, histories.items(), strict=True):
    old, new = zip(*history, strict=True)
    axis.plot(range(0, 210, 10), new, color="tab:blue", label="new images")
    axis.plot(range(0, 210, 10), old, "--", color="tab:red", label="old images")
    axis.set(title=name, xlabel="step", ylim=(0, 1))
    axis.grid(alpha=0.3)
axes[0].set_ylabel("test accuracy")
axes[0].legend()
save_figure(figure, "saving")

# %% [markdown]
# ## What goes wrong
#
# **Another head.** The saved model knows ten classes, the new one five.
#
# ```python
# import torch
# from torch import nn
#
# saved = nn.Sequential(nn.Linear(64, 32), nn.Linear(32, 10)).state_dict()
# model = nn.Sequential(nn.Linear(64, 32), nn.Linear(32, 5))
# model.load_state_dict(saved)
# ```
# ```text
# RuntimeError: Error(s) in loading state_dict for Sequential:
# size mismatch for 1.weight: copying a param with shape torch.Size([10, 32]) from checkpoint, the shape in current
# model is torch.Size([5, 32]).
# size mismatch for 1.bias: copying a param with shape torch.Size([10]) from checkpoint, the shape in current model is
# torch.Size([5]).
# ```
#
# Leave the head out, knowingly, and look at what was not loaded:
#
# ```python
# body = {name: value for name, value in saved.items() if not name.startswith("1.")}
# left_out = model.load_state_dict(body, strict=False)
# assert left_out.missing_keys == ["1.weight", "1.bias"]
# ```
#
# **Names with a prefix.** Models that were wrapped for several GPUs or compiled save other names.
#
# ```python
# wrapped = {f"module.{name}": value for name, value in model.state_dict().items()}
# model.load_state_dict(wrapped)
# ```
# ```text
# RuntimeError: Error(s) in loading state_dict for Sequential:
# Missing key(s) in state_dict: "0.weight", "0.bias", "1.weight", "1.bias".
# Unexpected key(s) in state_dict: "module.0.weight", "module.0.bias", "module.1.weight", "module.1.bias".
# ```
#
# The wrong cure is `strict=False`: it loads **nothing**, and says nothing. The right one:
#
# ```python
# model.load_state_dict({name.removeprefix("module."): value for name, value in wrapped.items()})
# ```
#
# **A pickle from elsewhere.** PyTorch refuses objects that it does not know, and it is right to:
#
# ```python
# import io
# import pathlib
#
# file = io.BytesIO()
# torch.save({"where": pathlib.PurePosixPath("weights")}, file)
# file.seek(0)
# torch.load(file, weights_only=True)
# ```
# ```text
# UnpicklingError: Weights only load failed.…
# ```
#
# Do not switch the protection off; save tensors only:
#
# ```python
# from safetensors.torch import load, save
#
# assert load(save({"weight": torch.ones(2)}))["weight"].sum() == 2
# ```
#
# ## Exercises
#
# In `lessons/answers/saving.py`; check them with `make check-lesson NAME=saving`.
#
# 1. `strip_prefix`: repair the names of a state.
# 2. `load_matching`: load what fits, and say what did not.
# 3. `freeze_except`: train only the parts that are named.
#
# ## Where this lives
#
# - [`shared/training/checkpoint.py`](../../shared/src/torchworks/shared/training/checkpoint.py): everything that a
#   resumed training needs, written whole or not at all.
# - [`cnn-vision/models/pretrained.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/pretrained.py) loads
#   the weights of others and says which did not fit.
# - [`shared/models/trained.py`](../../shared/src/torchworks/shared/models/trained.py): what is saved so that others can
#   use a model without its code's author.
