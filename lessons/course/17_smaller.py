# %% [markdown]
# # 17. Smaller and elsewhere: quantization, pruning, ONNX
#
# A trained model is turned into 8-bit integers, loses most of its weights, and leaves Python; each step is built by
# hand and measured by what it costs in accuracy.
#
# After training, three questions remain: is it small enough, is it fast enough, and does it run where it is needed?
# None of the answers is free, so after each step we ask the same 600 digits again.

# %%
import copy

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure
from torchworks.lessons.figures import folder_of

digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16  # (1797, 64)
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
train, test = order[:1197], order[1197:]

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for _ in range(300):
    rows = train[torch.randint(len(train), (64,))]
    optimizer.zero_grad()
    F.cross_entropy(model(x[rows]), y[rows]).backward()
    optimizer.step()


def accuracy(net: nn.Module) -> float:
    with torch.no_grad():
        return (net(x[test]).argmax(1) == y[test]).float().mean().item()


numbers = sum(p.numel() for p in model.parameters())
full = accuracy(model)
print(f"{numbers:,} weights of 4 bytes, accuracy {full:.1%}")
assert full > 0.95

# %% [markdown]
# ## Quantization: a ruler with 256 marks
#
# An 8-bit integer has 256 values. So lay a ruler over the weights: its unit, the **scale**, is the largest absolute
# weight divided by 127; each weight becomes the nearest mark. Written back, a weight is off by half a unit at most.
#
# One ruler for a whole matrix is set by its largest weight. One large row then makes the ruler coarse for all others.
# A ruler for each row (*per channel*) costs one number a row and cures that.


# %%
def quantize(weight: Tensor, bits: int, *, per_row: bool) -> tuple[Tensor, Tensor]:
    """Integers, and the scale of each row (R, 1), or of all (1, 1)."""
    marks = 2 ** (bits - 1) - 1  # 127 of 8 bits
    largest = weight.abs().amax(1, keepdim=True) if per_row else weight.abs().amax().view(1, 1)
    scale = largest.clamp(min=1e-12) / marks
    return (weight / scale).round().clamp(-marks, marks), scale


def with_integers(net: nn.Module, bits: int, *, per_row: bool) -> nn.Module:
    """A copy whose matrices hold what the integers stand for."""
    smaller = copy.deepcopy(net)
    for layer in smaller:
        if isinstance(layer, nn.Linear):
            integers, scale = quantize(layer.weight.data, bits, per_row=per_row)
            layer.weight.data = integers * scale
    return smaller


weight = model[0].weight.data
integers, scale = quantize(weight, 8, per_row=True)
assert ((integers * scale - weight).abs() <= scale / 2 + 1e-7).all()  # never off by more than half a mark
BITS = (8, 6, 5, 4, 3, 2)
by_bits = {
    per_row: [accuracy(with_integers(model, bits, per_row=per_row)) for bits in BITS] for per_row in (False, True)
}
for bits, one, many in zip(BITS, *by_bits.values(), strict=True):
    print(f"{bits} bits: accuracy {one:.1%} with one scale, {many:.1%} with one a row")
assert by_bits[True][0] > full - 0.01

# %% [markdown]
# One large weight shows the difference. We scale one neuron up by 50 and the weights that read it down by 50: the
# function is the same, but one ruler for all is now useless.

# %%
uneven = copy.deepcopy(model)
uneven[0].weight.data[0] *= 50
uneven[0].bias.data[0] *= 50
uneven[2].weight.data[:, 0] /= 50
one, many = (accuracy(with_integers(uneven, 4, per_row=per_row)) for per_row in (False, True))
print(f"the same function with one large row, 4 bits: {one:.1%} with one scale, {many:.1%} with one a row")
assert abs(accuracy(uneven) - full) < 0.005
assert many > one + 0.1

# %% [markdown]
# ## Pruning: which weights are needed?
#
# Most weights of a trained net are close to 0. Set the smallest to 0 and see (*magnitude pruning*). As a check: if we
# take as many at random instead, the net breaks much earlier, so size does say something about need.


# %%
def pruned(net: nn.Module, share: float, *, by_size: bool) -> nn.Module:
    """A copy in which this share of each matrix is 0."""
    smaller = copy.deepcopy(net)
    generator = torch.Generator().manual_seed(0)
    for layer in smaller:
        if isinstance(layer, nn.Linear):
            size = layer.weight.data.abs() if by_size else torch.rand(layer.weight.shape, generator=generator)
            count = int(share * size.numel())
            if count:
                layer.weight.data[size <= size.flatten().kthvalue(count).values] = 0.0
    return smaller


SHARES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
by_share = {by_size: [accuracy(pruned(model, share, by_size=by_size)) for share in SHARES] for by_size in (True, False)}
at = SHARES.index(0.6)
print(f"60 % of the weights gone: {by_share[True][at]:.1%} without the smallest, {by_share[False][at]:.1%} at random")
assert by_share[True][at] > by_share[False][at] + 0.05

# %% [markdown]
# Is it faster now? **No.** A zero is multiplied like any other number, and stored like it. Zeros save space in a
# compressed file only. To save time, whole neurons must go, so that the matrices become smaller; that is *structured*
# pruning, and a little training afterwards repairs most of what it breaks.

# %%
keep = model[0].weight.data.norm(dim=1).topk(64).indices  # the 64 of 128 neurons with the largest weights
narrow = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
narrow[0].weight.data, narrow[0].bias.data = model[0].weight.data[keep], model[0].bias.data[keep]
narrow[2].weight.data, narrow[2].bias.data = model[2].weight.data[:, keep], model[2].bias.data.clone()
narrow[4].load_state_dict(model[4].state_dict())
cut = accuracy(narrow)
optimizer = torch.optim.AdamW(narrow.parameters(), lr=1e-3)
for _ in range(100):
    rows = train[torch.randint(len(train), (64,))]
    optimizer.zero_grad()
    F.cross_entropy(narrow(x[rows]), y[rows]).backward()
    optimizer.step()
repaired = accuracy(narrow)
left_over = sum(p.numel() for p in narrow.parameters())
print(f"half of the first layer's neurons gone ({left_over:,} weights): {cut:.1%}, after 100 steps {repaired:.1%}")
assert repaired > full - 0.02

# %% [markdown]
# ## ONNX: out of Python
#
# ONNX is a file format for the graph of a model: operations, weights, names of inputs and outputs. A runtime in C++,
# on a phone or in a browser executes it without PyTorch. The exporter *traces*: it runs the model once and writes down
# the operations. The batch was 2 then, and would be 2 for ever if we did not call it dynamic.

# %%
path = folder_of("smaller") / "digits.onnx"
model.eval()
torch.onnx.export(
    model,
    (x[:2],),
    str(path),
    input_names=["image"],
    output_names=["scores"],
    dynamic_shapes=({0: torch.export.Dim("batch")},),
    dynamo=True,
    verbose=False,
)
session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
for count in (1, 2, 600):  # one is the size that exports get wrong most often
    (scores,) = session.run(None, {"image": x[test[:count]].numpy()})
    with torch.no_grad():
        wanted = model(x[test[:count]]).numpy()
    assert np.abs(scores - wanted).max() < 1e-4 * np.abs(wanted).max()
print("the ONNX file answers as PyTorch does, for 1, 2 and 600 digits")

# %% [markdown]
# Never trust an export that you did not compare. Compare at several batch sizes, and 1 among them.
#
# ## The figure
#
# Left: accuracy by the bits of a weight. Middle: by the share of weights that are gone. Right: the weights of the first
# layer and the marks of a 4-bit ruler: most weights share a few marks near 0.

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4))
left.plot(BITS, by_bits[False], "o-", label="one scale")
left.plot(BITS, by_bits[True], "o-", label="one scale a row")
left.axhline(full, color="gray", linestyle=":", label="32 bits")
left.set(xlabel="bits of a weight", title="accuracy after quantization")
left.invert_xaxis()
left.legend()
middle.plot(SHARES, by_share[True], "o-", label="the smallest first")
middle.plot(SHARES, by_share[False], "o-", label="at random")
middle.axhline(0.1, color="gray", linestyle=":", label="guessing")
middle.set(
    xlabel="share of weights set to 0", title="accuracy after pruning", ylim=(0, 1.4), yticks=(0, 0.25, 0.5, 0.75, 1)
)
middle.legend(loc="upper right")
right.hist(weight.flatten().numpy(), bins=120, color="lightsteelblue")
unit = float(quantize(weight, 4, per_row=False)[1])
for mark in range(-7, 8):
    right.axvline(mark * unit, color="tab:red", linewidth=0.8)
right.set(xlabel="weight", title="first layer, and the 15 marks of 4 bits", yscale="log")
save_figure(figure, "smaller")

# %% [markdown]
# ## What goes wrong
#
# **The file was exported for one batch size.** Without a dynamic dimension the batch of the example is part of the
# program. PyTorch's own export says it plainly:
#
# ```python
# import torch
# from torch import nn
#
# model = nn.Linear(4, 2).eval()
# program = torch.export.export(model, (torch.randn(2, 4),)).module()
# program(torch.randn(5, 4))
# ```
# ```text
# AssertionError: Guard failed: …
# ```
#
# ```python
# batch = torch.export.Dim("batch")
# program = torch.export.export(model, (torch.randn(2, 4),), dynamic_shapes=({0: batch},)).module()
# assert program(torch.randn(5, 4)).shape == (5, 2)
# ```
#
# **A branch that depends on the values.** Tracing takes one way through the code, so it must refuse a fork:
#
# ```python
# class Fork(nn.Module):
#     def forward(self, x):
#         return x * 2 if x.sum() > 0 else x
#
#
# try:
#     torch.export.export(Fork(), (torch.ones(3),))
# except Exception as error:
#     print(type(error).__name__)
# ```
# ```text
# GuardOnDataDependentSymNode
# ```
#
# ```python
# class Masked(nn.Module):
#     def forward(self, x):
#         return torch.where(x.sum() > 0, x * 2, x)  # both ways, and a choice: no fork
#
#
# torch.export.export(Masked(), (torch.ones(3),))
# ```
#
# **Rounded beyond the ruler.** An integer that does not fit wraps around, and a large weight becomes a negative one:
#
# ```python
# weight, scale = torch.tensor([0.5, 1.3]), 0.01
# print((weight / scale).round().to(torch.int8).tolist())
# ```
# ```text
# [50, -126]
# ```
#
# ```python
# assert (weight / scale).round().clamp(-127, 127).to(torch.int8).tolist() == [50, 127]
# ```
#
# ## Exercises
#
# In `lessons/answers/smaller.py`; check them with `make check-lesson NAME=smaller`.
#
# 1. `quantize_rows`: integers and a scale for each row.
# 2. `prune_smallest`: the smallest weights become 0.
# 3. `remove_neurons`: a narrower layer, and the next one that fits it.
#
# ## Where this lives
#
# - [`serving/export/quantize.py`](../../packages/serving/src/torchworks/serving/export/quantize.py): weights and
#   activations as 8-bit integers, for ONNX Runtime's integer kernels.
# - [`serving/export/prune.py`](../../packages/serving/src/torchworks/serving/export/prune.py): structured pruning of
#   any net, by tracing which channels depend on each other.
# - [`serving/export/parity.py`](../../packages/serving/src/torchworks/serving/export/parity.py): the gate that every
#   export passes, or is refused: closeness, classes, and the score on test samples.
