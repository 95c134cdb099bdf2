# %% [markdown]
# # 15. Schedules and mixed precision
#
# Two things change during a training without changing the model: how far a step goes, and how exactly it is computed;
# this lesson builds both by hand and shows what each loses and saves.
#
# A **schedule** makes the learning rate a function of the step. **Mixed precision** computes the expensive parts with
# 16 bits instead of 32 and keeps the rest exact. Nearly every large training uses both.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from torchworks.lessons import save_figure
from torchworks.shared.config import OptimConfig
from torchworks.shared.training.optim import schedule

digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16  # (1797, 64)
y = torch.tensor(digits.target)
STEPS, WARMUP = 500, 50

# %% [markdown]
# ## Why the rate should fall
#
# A batch is a sample, so each gradient is right on average only. At a high rate the weights arrive quickly and then
# jump about; at a low one they would settle, but take long to arrive. So: first high, then low. And at the very start,
# when gradients are largest and mean least, a few steps of **warm-up** keep the net from being thrown.


# %%
def warmup_cosine(step: int) -> float:
    """The factor of the rate: up in a straight line, then down along half a cosine (Loshchilov and Hutter 2017)."""
    if step < WARMUP:
        return (step + 1) / (WARMUP + 1)
    progress = (step - WARMUP) / (STEPS - 1 - WARMUP)
    return 0.5 * (1 + math.cos(math.pi * progress))


def train(factor, rate: float, dtype: torch.dtype | None = None, mixed: bool = False) -> list[float]:
    """The training losses of 500 steps with batches of 16. `dtype` is that of the weights; `mixed` uses autocast."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(dtype or torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    losses = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate * factor(step)  # that is all a schedule does
        rows = torch.randint(len(x), (16,))
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            loss = F.cross_entropy(model(x[rows].to(dtype or torch.float32)), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def late(losses: list[float]) -> float:
    """The mean of the last 100."""
    return sum(losses[-100:]) / 100


runs = {
    "always 1.0": train(lambda step: 1.0, 1.0),
    "always 0.05": train(lambda step: 1.0, 0.05),
    "warm-up, then cosine from 1.0": train(warmup_cosine, 1.0),
}
for name, losses in runs.items():
    print(f"{name:<30} loss of the last 100 steps {late(losses):.3f}")
assert late(runs["warm-up, then cosine from 1.0"]) < min(late(runs["always 1.0"]), late(runs["always 0.05"]))

# %% [markdown]
# The package has the same schedule behind `--optim.schedule cosine --optim.warmup 50`. Are the two equal?

# %%
theirs = schedule(OptimConfig(schedule="cosine", warmup=WARMUP), STEPS)
assert max(abs(theirs(step) - warmup_cosine(step)) for step in range(STEPS)) < 1e-9
print("the package's schedule agrees with ours at every step")

# %% [markdown]
# ## What 16 bits can hold
#
# A floating-point number has bits for its size (the exponent) and bits for its digits. `float16` has 5 and 10,
# `bfloat16` 8 and 7, `float32` 8 and 23. So bfloat16 reaches as far as float32, with two to three decimal digits;
# float16 has one digit more, and ends at 65,504.

# %%
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    info = torch.finfo(dtype)
    print(f"{dtype!s:<15} largest {info.max:.1e}, smallest normal {info.tiny:.1e}, next after 1: 1 + {info.eps:.1e}")
assert torch.tensor(256.0, dtype=torch.bfloat16) + 1 == 256  # there is no 257
assert torch.tensor(1.0, dtype=torch.bfloat16) + 0.001 == 1  # a small step is no step

# %% [markdown]
# The second line is the trouble of training in bfloat16 alone: a weight of 1 and a step of 0.001 add up to 1. The
# training stands still although no number is wrong. So **mixed** precision keeps the weights in float32, and computes
# with rounded copies of them. `torch.autocast` does that operation by operation: matrix products in bfloat16, sums
# and losses in float32.

# %%
layer = nn.Linear(64, 10)
with torch.autocast("cpu", dtype=torch.bfloat16):
    scores = layer(x[:4])
    loss = F.cross_entropy(scores, y[:4])
loss.backward()
print("weights", layer.weight.dtype, " scores", scores.dtype, " loss", loss.dtype, " gradient", layer.weight.grad.dtype)
assert (scores.dtype, loss.dtype, layer.weight.grad.dtype) == (torch.bfloat16, torch.float32, torch.float32)

RATE = 0.004  # small steps, as at the end of every long training
exact = train(lambda step: 1.0, RATE)
mixed = train(lambda step: 1.0, RATE, mixed=True)
alone = train(lambda step: 1.0, RATE, dtype=torch.bfloat16)
print(f"small steps: float32 {late(exact):.3f}, mixed {late(mixed):.3f}, weights in bfloat16 {late(alone):.3f}")
assert abs(late(mixed) - late(exact)) < 0.02
assert late(alone) > late(exact) + 0.02

# %% [markdown]
# ## float16 needs a scale
#
# Gradients are small: 10⁻⁸ is nothing unusual, and float16 rounds it to 0. The cure is simple: multiply the loss by
# 65,536, so that all gradients are that much larger, and divide them again in float32. If one overflows, skip the step
# and halve the scale. `torch.amp.GradScaler` does this. bfloat16 has the range of float32 and needs none of it.

# %%
small = torch.tensor([3e-8, 1e-8, 2e-6])
scale = 2.0**16
lost = small.half().float()
saved = (small * scale).half().float() / scale
print("gradients", small.tolist(), "in float16", [f"{g:.0e}" for g in lost.tolist()])
assert lost[1] == 0
assert torch.allclose(saved, small, rtol=1e-3)

# %% [markdown]
# ## The figure
#
# Left: the rates. Middle: the losses, averaged over 25 steps; the schedule arrives as early as the high rate and ends
# below both. Right: the relative error of writing a number down, for sizes from 10⁻¹⁰ to 10⁶: bfloat16 is coarse and
# even, float16 finer but only in its window.


# %%
def smooth(losses: list[float], width: int = 25) -> torch.Tensor:
    return torch.tensor(losses).unfold(0, width, 1).mean(1)


figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4))
left.plot([warmup_cosine(step) for step in range(STEPS)], color="tab:green")
left.axhline(1.0, color="tab:blue")
left.axhline(0.05, color="tab:orange")
left.set(xlabel="step", title="learning rate")
for (name, losses), color in zip(runs.items(), ("tab:blue", "tab:orange", "tab:green"), strict=True):
    middle.plot(smooth(losses), label=name, color=color)
middle.set(xlabel="step", yscale="log", ylim=(0.03, 30), title="training loss")  # with room for the legend
middle.legend(loc="upper right")
sizes = 10 ** torch.linspace(-10, 6, 4000, dtype=torch.float64)
for dtype, name in ((torch.bfloat16, "bfloat16"), (torch.float16, "float16"), (torch.float32, "float32")):
    error = ((sizes.to(dtype).double() - sizes) / sizes).abs().clamp(1e-9, 1)
    right.plot(sizes, error.view(-1, 40).amax(1).repeat_interleave(40), label=name)
right.set(xscale="log", yscale="log", xlabel="size of the number", title="relative error of rounding")
right.legend()
save_figure(figure, "precision")

# %% [markdown]
# ## What goes wrong
#
# **Two types meet.** Weights in bfloat16, inputs in float32:
#
# ```python
# import torch
# from torch import nn
#
# model = nn.Linear(4, 2).bfloat16()
# model(torch.randn(1, 4))
# ```
# ```text
# RuntimeError: mat1 and mat2 must have the same dtype, but got Float and BFloat16
# ```
#
# Leave the model in float32 and let autocast choose:
#
# ```python
# model = nn.Linear(4, 2)
# with torch.autocast("cpu", dtype=torch.bfloat16):
#     model(torch.randn(1, 4))
# ```
#
# **A number is too large for float16.**
#
# ```python
# print(torch.tensor([300.0]).half() ** 2)
# ```
# ```text
# tensor([inf], dtype=torch.float16)
# ```
#
# Squares, sums and means of squares belong in float32; or take bfloat16:
#
# ```python
# assert (torch.tensor([300.0]).bfloat16() ** 2).isfinite().all()
# ```
#
# **The result of autocast goes to NumPy**, which knows no bfloat16:
#
# ```python
# torch.ones(2, dtype=torch.bfloat16).numpy()
# ```
# ```text
# TypeError: Got unsupported ScalarType BFloat16
# ```
#
# ```python
# torch.ones(2, dtype=torch.bfloat16).float().numpy()
# ```
#
# **The schedule is called per epoch, but was made for steps.** No message; the rate hardly falls:
#
# ```python
# optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
# scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000)
# for epoch in range(10):
#     for batch in range(100):
#         optimizer.step()
#     scheduler.step()  # belongs into the inner loop
# print(optimizer.param_groups[0]["lr"] > 0.99)
# ```
# ```text
# True
# ```
#
# ```python
# scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
# ```
#
# ## Exercises
#
# In `lessons/answers/precision.py`; check them with `make check-lesson NAME=precision`.
#
# 1. `warmup_linear`: up in a straight line, and down in another.
# 2. `rounding_error`: what a type does to your numbers.
# 3. `scaled_step`: a step with a scaled gradient, skipped if it overflowed.
#
# ## Where this lives
#
# - [`shared/training/optim.py`](../../shared/src/torchworks/shared/training/optim.py): `schedule` has cosine, linear,
#   one-cycle and others with warm-up.
# - [`shared/machine/device.py`](../../shared/src/torchworks/shared/machine/device.py) chooses the precision:
#   `--trainer.precision auto` measures nothing, it knows which processors compute bfloat16 quickly.
# - [`shared/training/full_precision.py`](../../shared/src/torchworks/shared/training/full_precision.py) keeps in
#   float32 what bfloat16 would spoil.
