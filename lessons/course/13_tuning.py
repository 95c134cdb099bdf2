# %% [markdown]
# # 13. Tuning
#
# A model has numbers that no gradient reaches, such as its learning rate; this lesson searches for them in three ways,
# and measures how much the winner of a search flatters itself.
#
# Such a number is called a **hyperparameter**. To judge one setting you must train with it, so every question costs a
# training. The art is to ask few questions, on the right scale, and not to believe the best answer too much.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from torchworks.lessons import save_figure

digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16  # (1797, 64) in [0, 1]
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
train, valid, test = order[:300], order[300:400], order[400:]  # a small validation part, as is common

# %% [markdown]
# ## Many models at once
#
# We need hundreds of trainings. A net this small wastes most of its time on calling PyTorch, so we train all of them
# together: each weight gets one more dimension at the front, a net for each place in it. `@` multiplies matrices in
# batches, and the nets never mix, so that each is trained as if it were alone.
#
# We tune two numbers: the learning rate, and the strength of weight decay.


# %%
def train_many(rates: Tensor, decays: Tensor, steps: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Train K nets (64 → 24 → 10), each with its own rate and decay; their accuracies (K,) on validation and test."""
    k, generator = len(rates), torch.Generator().manual_seed(seed)
    shapes = [(64, 24), (1, 24), (24, 10), (1, 10)]
    weights = [torch.randn(1, *s, generator=generator).expand(k, *s) / s[0] ** 0.5 for s in shapes]
    weights = [w.clone().requires_grad_() for w in weights]
    rate, decay = rates.view(k, 1, 1), decays.view(k, 1, 1)

    def scores(rows: Tensor) -> Tensor:
        w1, b1, w2, b2 = weights
        return F.relu(x[rows] @ w1 + b1) @ w2 + b2  # (K, N, 10)

    for _ in range(steps):
        rows = train[torch.randint(len(train), (32,), generator=generator)]
        loss = F.cross_entropy(scores(rows).flatten(0, 1), y[rows].repeat(k), reduction="sum") / 32
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= rate * (gradient + decay * weight)
    with torch.no_grad():
        right = [(scores(part).argmax(2) == y[part]).float().mean(1) for part in (valid, test)]
    return right[0], right[1]


# %% [markdown]
# A net that is trained beside 48 others ends where it would have ended alone. We check that before we trust it.

# %%
pair, _ = train_many(torch.tensor([0.1, 0.3]), torch.zeros(2), steps=50)
alone, _ = train_many(torch.tensor([0.3]), torch.zeros(1), steps=50)
assert pair[1] == alone[0]

# %% [markdown]
# ## Search on a logarithmic scale
#
# Is 0.1 far from 0.2? It is as far as 0.01 from 0.02: what matters of a rate is its *factor*. So draw the exponent
# evenly, not the number. `10 ** uniform(-4, 1)` puts a fifth of the trials between 0.0001 and 0.001, where `uniform(0,
# 10)` would put one in ten thousand.


# %%
def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rates from 10⁻⁴ to 10 and decays from 10⁻⁵ to 1, evenly in the exponent."""
    u = torch.rand(2, count, generator=torch.Generator().manual_seed(seed))
    return 10 ** (u[0] * 5 - 4), 10 ** (u[1] * 5 - 5)


STEPS = 150
lines = torch.linspace(0.1, 0.9, 5)  # five values of each, in the middle of equal parts
one, two = torch.meshgrid(lines, lines, indexing="ij")
grid_rates, grid_decays = 10 ** (one.flatten() * 5 - 4), 10 ** (two.flatten() * 5 - 5)
grid_valid, grid_test = train_many(grid_rates, grid_decays, STEPS)
rates, decays = draw(128, seed=1)
valid_scores, test_scores = train_many(rates, decays, STEPS)
best = valid_scores.argmax()
print(f"grid of 25:     best on validation {grid_valid.max():.1%}")
print(f"random, 128:    best on validation {valid_scores.max():.1%}: rate {rates[best]:.3f}, decay {decays[best]:.5f}")
print(f"the worst of the 128 has {valid_scores.min():.1%}; the middle one {valid_scores.median():.1%}")
assert valid_scores.max() > 0.85
assert valid_scores.median() < valid_scores.max() - 0.05

# %% [markdown]
# ## Grid or random?
#
# A grid of 25 tries only **five** different rates. If the decay hardly matters, and here it hardly does below 0.1, the
# other twenty trials ask the same five questions again. 25 random points try 25 rates (Bergstra and Bengio 2012). We
# can measure it: how good is the best of the first *n* trials, on average over many orders?


# %%
def best_of_first(scores: Tensor, n: int, repeats: int = 300) -> Tensor:
    """The index (repeats,) of the best of `n` trials that are drawn at random, for each repeat."""
    generator = torch.Generator().manual_seed(n)
    drawn = torch.stack([torch.randperm(len(scores), generator=generator)[:n] for _ in range(repeats)])
    return drawn.gather(1, scores[drawn].argmax(1, keepdim=True)).squeeze(1)


counts = [1, 2, 3, 5, 8, 12, 18, 25, 50, 100]
random_best = [valid_scores[best_of_first(valid_scores, n)].mean().item() for n in counts]
random_true = [test_scores[best_of_first(valid_scores, n)].mean().item() for n in counts]
print(f"25 random trials: {random_best[counts.index(25)]:.1%} on average; the grid of 25: {grid_valid.max():.1%}")

# %% [markdown]
# The grid was not worse here: one of its five rates happened to be a good one. Random search does not need that luck,
# and it can be stopped or continued after any number of trials.
#
# ## Stop the losers early: successive halving
#
# Most settings are visibly bad after a few steps. So give all of them little, keep the better half, give those twice as
# much, and so on. 64 trials × 19 steps, then 32 × 38, 16 × 75, 8 × 150: the price of 32 full trainings for 64
# settings. (Jamieson and Talwalkar 2016; Hyperband and ASHA are refinements. A real search continues the survivors
# from their checkpoints instead of training them anew, as we do here for brevity.)

# %%
alive, spent, steps = torch.arange(64), 0, 19
halving = []
while True:
    scores, tests = train_many(rates[alive], decays[alive], min(steps, STEPS))
    spent += len(alive) * min(steps, STEPS)
    halving.append((alive, scores, steps))
    if steps >= STEPS:
        break
    alive, steps = alive[scores.topk(len(alive) // 2).indices], steps * 2
full = 64 * STEPS
print(f"halving: {scores.max():.1%} for {spent} steps; all 64 in full: {valid_scores[:64].max():.1%} for {full} steps")
assert spent < full * 0.6
assert scores.max() > valid_scores[:64].max() - 0.05

# %% [markdown]
# ## The winner's curse
#
# The best of 128 was chosen *because* its validation score is high: partly it is good, partly it was lucky with these
# 100 images. On the test part, which chose nothing, the luck is gone. The gap grows with the number of trials, and it
# is why the score of a search is never the score you report.

# %%
gap = [valid - true for valid, true in zip(random_best, random_true, strict=True)]
print(f"validation minus test: {gap[0]:+.1%} for one trial, {gap[-1]:+.1%} for the best of {counts[-1]}")
assert gap[-1] > gap[0]
assert gap[-1] > 0.005

# %% [markdown]
# ## The figure
#
# Left: 128 settings; the bright ridge runs along one direction, the rate, while the decay matters only at the top.
# Middle: what a search reaches with *n* trials, on the part it chose by, and in truth. Right: halving; a line is a
# setting, and ends where it was given up.

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4))
points = left.scatter(rates, decays, c=valid_scores, cmap="viridis", s=22)
left.scatter(grid_rates, grid_decays, marker="+", color="tab:red", s=50)
left.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="weight decay")
left.set_title("validation accuracy (+: grid of 25)")
figure.colorbar(points, ax=left)
middle.plot(counts, random_best, "o-", label="on validation, which chose")
middle.plot(counts, random_true, "o-", label="on test: the truth")
middle.axhline(float(grid_valid.max()), color="tab:red", linestyle=":", label="grid of 25, on validation")
middle.set(xscale="log", xlabel="random trials", ylabel="accuracy of the best", title="the winner's curse")
middle.legend()
paths: dict[int, list[tuple[int, float]]] = {}
for members, scores, steps in halving:
    for member, score in zip(members.tolist(), scores.tolist(), strict=True):
        paths.setdefault(member, []).append((min(steps, STEPS), score))
for path in paths.values():
    last = path[-1][0] == STEPS
    color = "tab:blue" if last else "lightgray"
    right.plot(*zip(*path, strict=True), "o-", color=color, zorder=2 if last else 1, markersize=3)
right.set(xlabel="steps of training", ylabel="validation accuracy", title="successive halving of 64")
save_figure(figure, "tuning")

# %% [markdown]
# ## What goes wrong
#
# **A diverged trial wins.** A rate that is too large ends in NaN, and PyTorch calls NaN the largest of all numbers:
#
# ```python
# import torch
#
# scores = torch.tensor([0.81, float("nan"), 0.93])
# print(scores.argmax().item())
# ```
# ```text
# 1
# ```
#
# Say what a trial without a score is worth:
#
# ```python
# assert scores.nan_to_num(nan=-torch.inf).argmax() == 2
# ```
#
# **The number is drawn evenly, not its exponent.** No message; the small rates are simply never tried:
#
# ```python
# rates = torch.rand(1000, generator=torch.Generator().manual_seed(0))  # "from 0 to 1"
# print((rates < 0.01).sum().item() < 20)
# ```
# ```text
# True
# ```
#
# ```python
# rates = 10 ** (torch.rand(1000) * 4 - 4)  # half of them below 0.01
# assert 400 < (rates < 0.01).sum() < 600
# ```
#
# **A search leaves the range that the optimizer allows.** A Gaussian has two ends:
#
# ```python
# torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=-0.1)
# ```
# ```text
# ValueError: Invalid learning rate: -0.1
# ```
#
# ```python
# torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=10 ** torch.randn(()).item())
# ```
#
# ## Exercises
#
# In `lessons/answers/tuning.py`; check them with `make check-lesson NAME=tuning`.
#
# 1. `log_uniform`: draw numbers whose exponents are even.
# 2. `choose`: which setting to take, and which score to report.
# 3. `successive_halving`: give up the worse half, again and again.
#
# ## Where this lives
#
# - [`cnn_vision/studies/tune.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/studies/tune.py): the command
#   `cnn-vision tune` searches with Optuna, by held-out training images, and scores the winner on the test part once.
# - [`shared/training/lr_finder.py`](../../shared/src/torchworks/shared/training/lr_finder.py) finds a learning rate by
#   one short training in which it grows: `--trainer.find-lr`.
# - [`shared/config.py`](../../shared/src/torchworks/shared/config.py) keeps the limits of each setting, so that a
#   search cannot leave them.
