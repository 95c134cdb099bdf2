# %% [markdown]
# # 4. Losses and optimizers on one surface
#
# A model with two weights has a loss that can be drawn as a landscape; we draw two losses and watch four optimizers
# walk down.
#
# The **loss** says what is bad, and so makes the landscape. The **optimizer** says how to walk. They are two decisions,
# and mixing them up is behind much trouble: no optimizer repairs a loss that asks for the wrong thing.

# %%
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.lessons import save_figure

torch.manual_seed(0)
x = torch.linspace(0, 4, 40)
y = 1.5 * x + 1.0 + 0.4 * torch.randn(40)  # the truth: slope 1.5, intercept 1
y[-4:] -= 12.0  # four measurements of a broken instrument


def predict(weights: Tensor) -> Tensor:
    """A line: weights are (…, 2), slope and intercept; the result (…, 40)."""
    return weights[..., :1] * x + weights[..., 1:]


# %% [markdown]
# ## Three ways to say what is bad
#
# - **Squared error**: twice as far is four times as bad. Its minimum is the mean, and a few wild points pull it far.
# - **Absolute error**: twice as far is twice as bad. Its minimum is the median; wild points pull no harder than others.
#   But it has a kink at 0, where the gradient jumps, so that steps near the goal never become small.
# - **Huber**: squared near 0, absolute further out. Smooth where it matters, calm where it is wild.

# %%
losses: dict[str, Callable[[Tensor], Tensor]] = {
    "squared error": lambda weights: (predict(weights) - y).square().mean(dim=-1),
    "absolute error": lambda weights: (predict(weights) - y).abs().mean(dim=-1),
    "Huber": lambda weights: F.huber_loss(predict(weights), y.expand_as(predict(weights)), reduction="none").mean(-1),
}

slopes, intercepts = torch.meshgrid(torch.linspace(-1.5, 2.5, 161), torch.linspace(-1, 5, 161), indexing="xy")
everywhere = torch.stack([slopes, intercepts], dim=2)  # (161, 161, 2): every line that we consider
surfaces = {name: loss(everywhere) for name, loss in losses.items()}  # each (161, 161)
lowest = {name: everywhere.view(-1, 2)[surface.argmin()] for name, surface in surfaces.items()}
for name, weights in lowest.items():
    print(f"lowest {name:<15} slope {weights[0]:+.2f}, intercept {weights[1]:+.2f}   (truth +1.50, +1.00)")
assert abs(lowest["squared error"][0] - 1.5) > 0.8
assert abs(lowest["Huber"][0] - 1.5) < 0.3

# %% [markdown]
# Four bad points of forty, and the squared error's best line is far off. That is not the optimizer's fault: this *is*
# the lowest point of the landscape that we asked for.
#
# ## Four ways to walk
#
# Every optimizer knows the slope under its feet, and nothing else.
#
# - **SGD** takes a step downhill: $w \leftarrow w - \eta\, g$. In a long valley the slope points across it, mostly.
# - **Momentum** keeps some of its velocity: $v \leftarrow \mu v + g$, $w \leftarrow w - \eta\, v$. What points across
#   cancels out from step to step, what points along adds up.
# - **RMSprop** divides each weight's step by the size of its recent gradients, so that flat directions get long steps.
# - **Adam** does both, and corrects the start, when its averages have seen too little yet.
#
# We write them ourselves, and then ask PyTorch for the same.


# %%
def sgd(gradient: Tensor, memory: dict, lr: float) -> Tensor:
    return -lr * gradient


def momentum(gradient: Tensor, memory: dict, lr: float, keep: float = 0.9) -> Tensor:
    memory["v"] = keep * memory.get("v", 0) + gradient
    return -lr * memory["v"]


def rmsprop(gradient: Tensor, memory: dict, lr: float, keep: float = 0.99) -> Tensor:
    memory["s"] = keep * memory.get("s", 0) + (1 - keep) * gradient**2
    return -lr * gradient / (memory["s"].sqrt() + 1e-8)


def adam(gradient: Tensor, memory: dict, lr: float, keep: tuple[float, float] = (0.9, 0.999)) -> Tensor:
    memory["t"] = memory.get("t", 0) + 1
    memory["m"] = keep[0] * memory.get("m", 0) + (1 - keep[0]) * gradient
    memory["s"] = keep[1] * memory.get("s", 0) + (1 - keep[1]) * gradient**2
    mean = memory["m"] / (1 - keep[0] ** memory["t"])  # without this the first steps would be too short
    square = memory["s"] / (1 - keep[1] ** memory["t"])
    return -lr * mean / (square.sqrt() + 1e-8)


START = (-1.0, 4.5)
RATES = {sgd: 0.08, momentum: 0.02, rmsprop: 0.08, adam: 0.25}


def walk(rule: Callable, loss: Callable[[Tensor], Tensor], steps: int = 80) -> Tensor:
    """The places that an optimizer visits, (steps + 1, 2)."""
    weights, memory, places = torch.tensor(START, requires_grad=True), {}, [torch.tensor(START)]
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(loss(weights), weights)
        with torch.no_grad():
            weights += rule(gradient, memory, RATES[rule])
        places.append(weights.detach().clone())
    return torch.stack(places)


def walk_of_torch(optimizer: torch.optim.Optimizer, weights: Tensor, loss: Callable, steps: int = 80) -> Tensor:
    """The same by an optimizer of PyTorch."""
    places = [weights.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        loss(weights).backward()
        optimizer.step()
        places.append(weights.detach().clone())
    return torch.stack(places)


paths = {name: {rule.__name__: walk(rule, loss) for rule in RATES} for name, loss in losses.items()}
for rule, make in {
    "sgd": lambda w: torch.optim.SGD([w], lr=RATES[sgd]),
    "momentum": lambda w: torch.optim.SGD([w], lr=RATES[momentum], momentum=0.9),
    "rmsprop": lambda w: torch.optim.RMSprop([w], lr=RATES[rmsprop]),
    "adam": lambda w: torch.optim.Adam([w], lr=RATES[adam]),
}.items():
    start = torch.tensor(START, requires_grad=True)
    assert torch.allclose(walk_of_torch(make(start), start, losses["Huber"]), paths["Huber"][rule], atol=1e-3), rule
print("our four optimizers walk as PyTorch's do")

# %% [markdown]
# ## Who arrives?
#
# After 80 steps on the Huber landscape, measured in loss above the lowest point. The rates were chosen by hand for
# each: a comparison of optimizers at one common rate says nothing, for Adam's rate is a length, and SGD's is a factor.

# %%
floor = surfaces["Huber"].min()
for rule, path in paths["Huber"].items():
    left_over = (losses["Huber"](path[-1]) - floor).item()
    print(f"{rule:<9} rate {RATES[globals()[rule]]:<5} ends {left_over:.4f} above the lowest point")
assert losses["Huber"](paths["Huber"]["adam"][-1]) < floor + 0.05
assert losses["Huber"](paths["Huber"]["momentum"][-1]) < losses["Huber"](paths["Huber"]["sgd"][-1])

# %% [markdown]
# ## The figure
#
# The landscapes of two losses with the same data, and four walks from the same place. The star is the truth, the cross
# the lowest point. Look how SGD drops to the valley's floor at once and then creeps; how momentum overshoots and
# swings; and how all of them go to the wrong place, faithfully, on the left.

# %%
figure, axes = plt.subplots(1, 3, figsize=(14, 4.4))
for axis, name in zip(axes, ["squared error", "Huber"], strict=False):
    levels = torch.logspace(surfaces[name].min().log10() * 0.999, surfaces[name].max().log10(), 22).unique().tolist()
    axis.contourf(slopes, intercepts, surfaces[name], levels=sorted(levels), cmap="Blues_r")
    for (rule, path), color in zip(paths[name].items(), ["white", "tab:orange", "limegreen", "tab:red"], strict=True):
        axis.plot(*path.T.numpy(), marker=".", markersize=3, linewidth=1.2, label=rule, color=color)
    axis.plot(1.5, 1.0, "*", color="gold", markersize=15, markeredgecolor="black")
    axis.plot(*lowest[name].numpy(), "x", color="red", markersize=10, markeredgewidth=3)
    axis.set(title=name, xlabel="slope", ylabel="intercept", xlim=(-1.5, 2.5), ylim=(-1, 5))
axes[1].legend(loc="upper right", facecolor="lightsteelblue")
axes[2].scatter(x.numpy(), y.numpy(), s=14, color="gray")
for name, weights in lowest.items():
    axes[2].plot(x.numpy(), predict(weights).numpy(), label=name)
axes[2].plot(x.numpy(), (1.5 * x + 1.0).numpy(), ":", color="black", label="truth")
axes[2].set(title="the lines of the lowest points", xlabel="x", ylabel="y")
axes[2].legend()
save_figure(figure, "optimizers")

# %% [markdown]
# ## What goes wrong
#
# **The rate is too high.** Each step jumps over the valley to a place that is higher. The loss grows until it is no
# number any more:
#
# ```python
# import torch
#
# weight = torch.tensor(1.0, requires_grad=True)
# for _ in range(300):
#     (gradient,) = torch.autograd.grad(weight**2, weight)
#     weight = (weight - 1.1 * gradient).detach().requires_grad_()
# print(weight.square().item())
# ```
# ```text
# inf
# ```
#
# Divide the rate by ten and look again. A parabola $a w^2$ bears a rate below $1/a$:
#
# ```python
# weight = torch.tensor(1.0, requires_grad=True)
# for _ in range(300):
#     (gradient,) = torch.autograd.grad(weight**2, weight)
#     weight = (weight - 0.11 * gradient).detach().requires_grad_()
# assert weight.abs() < 1e-6
# ```
#
# **An optimizer without weights.** `parameters()` is a generator: it can be walked through once.
#
# ```python
# model = torch.nn.Linear(2, 1)
# weights = model.parameters()
# print(sum(weight.numel() for weight in weights))
# torch.optim.Adam(weights)
# ```
# ```text
# 3
# ValueError: optimizer got an empty parameter list
# ```
#
# ```python
# weights = list(model.parameters())
# optimizer = torch.optim.Adam(weights)
# ```
#
# **An optimizer of weights that are no longer there.** No message. It was given the old layer's weights; the new layer
# never learns:
#
# ```python
# model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Linear(4, 1))
# optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
# model[1] = torch.nn.Linear(4, 1)  # a new head, too late
# before = model[1].weight.clone()
# model(torch.ones(1, 2)).sum().backward()
# optimizer.step()
# print(torch.equal(model[1].weight, before))
# ```
# ```text
# True
# ```
#
# Change the model first, then make the optimizer:
#
# ```python
# optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
# optimizer.step()
# assert not torch.equal(model[1].weight, before)
# ```
#
# ## Exercises
#
# In `lessons/answers/optimizers.py`; check them with `make check-lesson NAME=optimizers`.
#
# 1. `huber`: the loss that is squared near 0 and absolute further out.
# 2. `momentum_step`: one step of SGD with momentum.
# 3. `best_constant`: what a model learns that may only say one number, under each loss.
#
# ## Where this lives
#
# - [`shared/training/optim.py`](../../shared/src/torchworks/shared/training/optim.py): the optimizers of the packages,
#   and which weights get no weight decay.
# - [`shared/training/lr_finder.py`](../../shared/src/torchworks/shared/training/lr_finder.py) tries rising rates and
#   proposes one.
# - [`shared/training/guard.py`](../../shared/src/torchworks/shared/training/guard.py) notices a loss that is no number
#   before it reaches the weights.
