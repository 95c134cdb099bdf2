# %% [markdown]
# # 2. Autograd by hand
#
# We write the machine that computes gradients, in a hundred lines for single numbers, check it against PyTorch, and
# train a small network with it.
#
# Training means: change each weight a little in the direction that makes the error smaller. So for each weight we need
# to know how the error changes when the weight does. That is the **gradient**. A model has millions of weights, and the
# trick is to get all these numbers for about the price of computing the error twice. It is called backpropagation, and
# it is the chain rule of school, applied in a good order.

# %%
import math
import random

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import make_moons

from torchworks.lessons import save_figure

# %% [markdown]
# ## A number that remembers where it came from
#
# Each `Value` keeps three things: its number, the values that it was computed from, and for each of them the **local
# derivative**: how much the result moves when that input moves by one. For `a * b` the derivative by `a` is `b`.
#
# Nothing else is needed. Every operation only knows itself; the chain rule does the rest.


# %%
class Value:
    """A number, the values that it was computed from, and how it depends on each of them."""

    def __init__(self, number: float, parents: tuple["Value", ...] = (), local: tuple[float, ...] = ()) -> None:
        self.number = number
        self.grad = 0.0
        self.parents = parents
        self.local = local

    def __add__(self, other: "Value | float") -> "Value":
        other = as_value(other)
        return Value(self.number + other.number, (self, other), (1.0, 1.0))

    def __mul__(self, other: "Value | float") -> "Value":
        other = as_value(other)
        return Value(self.number * other.number, (self, other), (other.number, self.number))

    def __pow__(self, power: float) -> "Value":
        return Value(self.number**power, (self,), (power * self.number ** (power - 1),))

    def exp(self) -> "Value":
        result = math.exp(self.number)
        return Value(result, (self,), (result,))

    def log(self) -> "Value":
        return Value(math.log(self.number), (self,), (1 / self.number,))

    def tanh(self) -> "Value":
        result = math.tanh(self.number)
        return Value(result, (self,), (1 - result * result,))

    def relu(self) -> "Value":
        return Value(max(self.number, 0.0), (self,), (float(self.number > 0),))

    def __neg__(self) -> "Value":
        return self * -1.0

    def __sub__(self, other: "Value | float") -> "Value":
        return self + -as_value(other)

    def __truediv__(self, other: "Value | float") -> "Value":
        return self * as_value(other) ** -1

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self) -> None:
        """Add to `grad` of every value that this one depends on how this one changes with it."""
        self.grad = 1.0
        for value in reversed(ordered(self)):
            for parent, slope in zip(value.parents, value.local, strict=True):
                parent.grad += slope * value.grad  # the chain rule


def as_value(number: Value | float) -> Value:
    """A constant as a value."""
    return number if isinstance(number, Value) else Value(number)


def ordered(end: Value) -> list[Value]:
    """All values that `end` depends on, each one after those that it was computed from."""
    found: list[Value] = []
    seen: set[int] = set()
    waiting = [(end, False)]
    while waiting:
        value, parents_done = waiting.pop()
        if parents_done:
            found.append(value)
        elif id(value) not in seen:
            seen.add(id(value))
            waiting.append((value, True))
            waiting += [(parent, False) for parent in value.parents]
    return found


# %% [markdown]
# Two lines deserve a second look.
#
# `parent.grad += …` **adds**. A value that is used twice influences the result on two ways, and the influences add up.
# PyTorch does the same, which is why you must clear the gradients before the next step.
#
# `reversed(ordered(self))` sets the order: nobody passes his gradient on before he has received all of his own.
#
# ## Does it agree with PyTorch?
#
# The same expression, once with our numbers and once with tensors.


# %%
def formula(a, b, c):
    """Anything, as long as each operation occurs and `a` is used more than once."""
    inner = (a * b + c).tanh() - (a * 0.5).exp() / (c**2 + 1.0)
    return (inner * inner + a.relu() + 1.0).log()


ours = [Value(0.7), Value(-1.3), Value(2.1)]
result = formula(*ours)
result.backward()

theirs = [torch.tensor(value.number, dtype=torch.float64, requires_grad=True) for value in ours]
expected = formula(*theirs)
expected.backward()

for name, one, other in zip("abc", ours, theirs, strict=True):
    print(f"derivative by {name}: ours {one.grad:+.12f}, PyTorch {other.grad.item():+.12f}")
    assert math.isclose(one.grad, other.grad.item(), rel_tol=1e-9)
assert math.isclose(result.number, expected.item(), rel_tol=1e-9)

# %% [markdown]
# And does PyTorch agree with the definition? A derivative is what happens to the result when the input moves a little.
# Move it and look. This **numerical gradient** is slow (two evaluations for each weight), but it knows no calculus and
# so makes no mistakes in it: it is the test of every hand-written backward pass.

# %%
step = 1e-5
moved = (formula(*[Value(0.7 + step), *ours[1:]]).number - formula(*[Value(0.7 - step), *ours[1:]]).number) / (2 * step)
print(f"moving a by ±{step}: {moved:+.9f}")
assert math.isclose(moved, ours[0].grad, rel_tol=1e-6)

# %% [markdown]
# ## A network of numbers
#
# A neuron is a weighted sum, plus a bias, through a bend. Eight of them and one more behind separate two half moons.
# Each point makes some sixty values, fifty points three thousand, and `backward` walks through all of them.

# %%
random.seed(0)
points, sides = make_moons(n_samples=50, noise=0.1, random_state=0)
targets = [1.0 if side else -1.0 for side in sides]
hidden = [[Value(random.gauss(0, 1)) for _ in range(3)] for _ in range(8)]  # two weights and a bias each
output = [Value(random.gauss(0, 0.3)) for _ in range(9)]
weights = [weight for neuron in [*hidden, output] for weight in neuron]


def network(x: float, y: float) -> Value:
    """A score: above 0 for one moon, below 0 for the other."""
    bent = [(w * x + v * y + bias).tanh() for w, v, bias in hidden]
    return sum((weight * value for weight, value in zip(output, bent, strict=False)), start=output[-1])


losses = []
for _ in range(50):
    loss = sum(
        ((network(x, y) - target) ** 2 for (x, y), target in zip(points.tolist(), targets, strict=True)),
        start=Value(0.0),
    ) * (1 / len(targets))
    for weight in weights:
        weight.grad = 0.0  # what was added in the last step must go
    loss.backward()
    for weight in weights:
        weight.number -= 0.3 * weight.grad
    losses.append(loss.number)

right = sum((network(x, y).number > 0) == (target > 0) for (x, y), target in zip(points.tolist(), targets, strict=True))
print(f"loss {losses[0]:.2f} → {losses[-1]:.2f}; {right} of {len(targets)} points on the right side")
assert losses[-1] < 0.4 * losses[0]
assert right >= 45

# %% [markdown]
# That is a trained neural network, without a library. PyTorch does the same with tensors in place of numbers: one node
# of its graph holds a million numbers, so that the price of the bookkeeping disappears.
#
# ## The figure
#
# Left: the loss along the training. Right: the score in the whole plane, and the line where the network changes its
# mind. It is smooth, because `tanh` is.

# %%
horizontal, vertical = np.linspace(-1.6, 2.6, 32), np.linspace(-1.1, 1.6, 24)
scores = np.array([[network(x, y).number for x in horizontal] for y in vertical])
figure, (left, plane) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[1, 1.6])
left.plot(losses, color="tab:blue")
left.set(xlabel="step", ylabel="loss", title="a hundred lines learn", ylim=(0, None))
plane.contourf(horizontal, vertical, scores, levels=20, cmap="RdBu", vmin=-2, vmax=2)
plane.contour(horizontal, vertical, scores, levels=[0], colors="black")
plane.scatter(*points.T, c=sides, cmap="RdBu", edgecolors="black")
plane.set(title="the score, and where it is 0", xticks=[], yticks=[])
save_figure(figure, "autograd")

# %% [markdown]
# ## What goes wrong
#
# **Backward twice.** PyTorch frees what it kept for the backward pass as soon as it is used.
#
# ```python
# import torch
#
# weight = torch.tensor([2.0], requires_grad=True)
# loss = (weight * weight).sum()
# loss.backward()
# loss.backward()
# ```
# ```text
# RuntimeError: Trying to backward through the graph a second time (or directly access saved tensors after they have
# already been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad().
# Specify retain_graph=True if you need to backward through the graph a second time or if you need to access saved
# tensors after calling backward.
# ```
#
# The message offers `retain_graph=True`, and it is nearly always the wrong cure. Usually something of the last step
# is still part of this step's graph: a running total of losses, or a hidden state. Compute the loss anew, and cut what
# you carry over with `detach()`:
#
# ```python
# total = 0.0
# for _ in range(2):
#     weight.grad = None
#     loss = (weight * weight).sum()
#     loss.backward()
#     total += loss.detach()
# ```
#
# **In place on a leaf.** A weight that is changed while its history is recorded would have no well-defined gradient.
#
# ```python
# weight -= 0.1 * weight.grad
# ```
# ```text
# RuntimeError: a leaf Variable that requires grad is being used in an in-place operation.
# ```
#
# The update is not part of the model, so switch the recording off for it:
#
# ```python
# with torch.no_grad():
#     weight -= 0.1 * weight.grad
# ```
#
# **Gradients that add up.** No message. The second gradient is the sum of both:
#
# ```python
# weight = torch.tensor([3.0], requires_grad=True)
# for _ in range(2):
#     (2 * weight).sum().backward()
#     print(weight.grad.item())
# ```
# ```text
# 2.0
# 4.0
# ```
#
# ```python
# weight.grad = None  # or optimizer.zero_grad()
# ```
#
# ## Exercises
#
# In `lessons/answers/autograd.py`; check them with `make check-lesson NAME=autograd`.
#
# 1. `numerical_gradient`: the gradient of any function, by moving each input.
# 2. `linear_backward`: the backward pass of a linear layer, by hand.
# 3. `topological_order`: the order in which gradients may be passed on.
#
# ## Where this lives
#
# - [`shared/training/trainer.py`](../../shared/src/torchworks/shared/training/trainer.py): `Trainer._step` clears,
#   computes backward and updates, in this order.
# - [`shared/testing.py`](../../shared/src/torchworks/shared/testing.py): `check_parity` compares the gradients of our
#   nets with those of the reference, not only their outputs.
