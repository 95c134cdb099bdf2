# %% [markdown]
# # 5. The training loop, and what each line prevents
#
# The loop has ten lines that everybody copies; we leave out one at a time and measure what happens.
#
# You know the lines already: clear the gradients, compute the loss, go backward, step. What tutorials seldom say is
# what goes wrong **without** each. Most of these mistakes raise no error. They only make the model worse, so that you
# must know them by their symptoms.

# %%
import copy

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure

digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16  # (1797, 64) in [0, 1]
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
train, valid, test = order[:400], order[400:800], order[800:]  # three parts that share nothing
print(f"{len(train)} digits to learn from, {len(valid)} to choose by, {len(test)} to be judged by")

# %% [markdown]
# Three parts, not two. The **training** part is learnt. The **validation** part decides: when to stop, which rate,
# which model. The **test** part is looked at once, in the end. Whoever chooses by the test part has trained on it, with
# a very slow optimizer: himself.
#
# ## The loop
#
# Each line has a name after `#`, so that we can leave it out.


# %%
def make_model() -> nn.Module:
    """A small net with the two layers that behave differently in training and in use."""
    return nn.Sequential(
        nn.Linear(64, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def accuracy(model: nn.Module, part: Tensor) -> float:
    """The share of right answers, in whatever mode the model is."""
    return (model(x[part]).argmax(dim=1) == y[part]).float().mean().item()


def fit(without: str = "", seed: int = 0, epochs: int = 12) -> tuple[float, list[float]]:
    """Train without one of the lines; the accuracy on the test part, and on the validation part after each epoch."""
    torch.manual_seed(seed)  # seed
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    best, best_state, history = 0.0, None, []
    for _ in range(epochs):
        model.train()  # train
        rows = train[torch.randperm(len(train))]  # shuffle
        if without == "shuffle":
            rows = train[y[train].argsort()]  # all zeros first, then all ones …
        for batch in rows.split(32):
            if without != "zero_grad":
                optimizer.zero_grad()
            loss = F.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
        if without != "eval":
            model.eval()
        with torch.no_grad():
            history.append(accuracy(model, valid))
        if history[-1] > best:
            best, best_state = history[-1], copy.deepcopy(model.state_dict())  # copy
    assert best_state is not None
    model.load_state_dict(best_state)
    with torch.no_grad():
        return accuracy(model, test), history


# %%
SEEDS = (0, 1, 2)
results = {}
for line in ("", "zero_grad", "shuffle", "eval"):
    runs = [fit(line, seed) for seed in SEEDS]
    scores = torch.tensor([score for score, _ in runs])
    results[line] = (scores.mean().item(), scores.std().item(), [history for _, history in runs])
    name = f"without {line}" if line else "all lines"
    print(f"{name:<18} {results[line][0]:.1%} ± {results[line][1]:.1%} of the test part")
assert results[""][0] > 0.9
assert results["zero_grad"][0] < results[""][0] - 0.02
assert results["shuffle"][0] < results[""][0] - 0.1
assert results["eval"][0] < results[""][0] - 0.01

# %% [markdown]
# - **Without `zero_grad`** every step also repeats all earlier gradients. The steps grow and the model is thrown
#   around.
# - **Without shuffling** a batch holds one digit only. Each batch teaches "it is always this one", and the next batch
#   teaches otherwise. Batch norm computes its statistics from such batches, too, and they fit no real mixture.
# - **Without `eval`** dropout keeps switching off half of the neurons when you measure, and batch norm uses whatever
#   batch you happen to ask about. The model is fine; you measure it wrong.
#
# ## Lines whose absence you see elsewhere
#
# **`no_grad`** does not change one answer. It stops PyTorch from keeping everything for a backward pass that never
# comes:

# %%
model = make_model().eval()
with_history = model(x[test])
with torch.no_grad():
    without_history = model(x[test])
assert with_history.grad_fn is not None
assert without_history.grad_fn is None
assert torch.equal(with_history, without_history)

# %% [markdown]
# **`copy.deepcopy`** of the best state: `state_dict()` gives you the weights themselves, not a copy. Without the copy
# "the best state" is changed by all that follows, and loading it brings back the last state, quietly.

# %%
reference = model.state_dict()["0.weight"]
kept = copy.deepcopy(reference)
with torch.no_grad():
    model[0].weight += 1.0
assert torch.equal(reference, model[0].weight)  # it moved along
assert not torch.equal(kept, model[0].weight)

# %% [markdown]
# **The seed** makes the same run twice. It is not there for luck: a change that helps with one seed only is no change.

# %%
assert fit(seed=3, epochs=1) == fit(seed=3, epochs=1)
assert fit(seed=3, epochs=1) != fit(seed=4, epochs=1)
print("the same seed gives the same run; the spread over seeds above is what another seed may change")

# %% [markdown]
# ## The figure
#
# Accuracy on the validation part after each epoch, three seeds each. The four curves are what these mistakes look like
# from outside: learn to recognise them.

# %%
figure, axes = plt.subplots(1, 4, figsize=(14, 3.4), sharey=True)
for axis, (line, (mean, _, histories)) in zip(axes, results.items(), strict=True):
    for history in results[""][2]:
        axis.plot(range(1, 13), history, color="lightgray")
    for history in histories:
        axis.plot(range(1, 13), history, color="tab:red" if line else "tab:blue")
    axis.set(
        title=f"{'without ' + line if line else 'all lines'}: {mean:.0%}",
        xlabel="epoch",
        ylim=(0, 1),
        xticks=(1, 4, 8, 12),
    )
axes[0].set_ylabel("validation accuracy")
save_figure(figure, "loop")

# %% [markdown]
# ## What goes wrong
#
# **A batch of one in training.** Batch norm compares the samples of a batch, and one sample is nothing to compare. It
# happens with the last batch of an epoch: 33 samples in batches of 32 leave one.
#
# ```python
# import torch
# from torch import nn
#
# model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
# model(torch.randn(1, 4))
# ```
# ```text
# ValueError: Expected more than 1 value per channel when training, got input size torch.Size([1, 8])
# ```
#
# In use: `model.eval()`. In training: `drop_last=True` of the data loader.
#
# ```python
# model.eval()
# model(torch.randn(1, 4))
# ```
#
# **`eval` forgotten.** No message, but the same input gets another answer each time:
#
# ```python
# torch.manual_seed(0)
# model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5))
# image = torch.randn(1, 4)
# print(torch.equal(model(image), model(image)))
# ```
# ```text
# False
# ```
#
# ```python
# model.eval()
# assert torch.equal(model(image), model(image))
# ```
#
# **A loss that is kept with its history.** `total += loss` keeps the graph of every step, and memory grows until it is
# gone. Ask the total what it is:
#
# ```python
# total = 0.0
# for _ in range(3):
#     total += model(image).sum()
# print(total.requires_grad)
# ```
# ```text
# True
# ```
#
# ```python
# total = 0.0
# for _ in range(3):
#     total += model(image).sum().item()
# ```
#
# ## Exercises
#
# In `lessons/answers/loop.py`; check them with `make check-lesson NAME=loop`.
#
# 1. `train_one_epoch`: the loop itself.
# 2. `evaluate`: measure a model, and leave it in the mode that it was in.
# 3. `should_stop`: stop when nothing has become better for a while.
#
# ## Where this lives
#
# - [`shared/training/trainer.py`](../../shared/src/torchworks/shared/training/trainer.py): `Trainer._step` is this
#   loop, for all packages, and for nets that play against each other too.
# - [`shared/training/evaluation.py`](../../shared/src/torchworks/shared/training/evaluation.py) sets the mode and puts
#   it back.
# - [`shared/training/checkpoint.py`](../../shared/src/torchworks/shared/training/checkpoint.py) keeps the best state,
#   on disk, whole or not at all.
