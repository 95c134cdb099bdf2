# %% [markdown]
# # 14. Debugging with TensorBoard
#
# A network that learns badly raises no error; this lesson looks inside while it trains, finds three planted faults by
# their signs, and writes the curves to TensorBoard.
#
# The loss says *that* something is wrong. To see *what*, measure three things at every layer: how large the outputs
# are, how large the gradients are, and how many neurons are silent. Hooks measure them without changing the model.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.tensorboard import SummaryWriter

from torchworks.lessons import save_figure
from torchworks.lessons.figures import folder_of

digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16  # (1797, 64)
y = torch.tensor(digits.target)
DEPTH = 12


def make_model(activation: type[nn.Module], gain: float, bias: float = 0.0) -> nn.Sequential:
    """`DEPTH` layers of 64 neurons and a last one of 10. Weights have the deviation `gain / sqrt(inputs)`,
    biases are all `bias`."""
    layers: list[nn.Module] = []
    for _ in range(DEPTH):
        layers += [nn.Linear(64, 64), activation()]
    layers.append(nn.Linear(64, 10))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=gain / layer.in_features**0.5)
            nn.init.constant_(layer.bias, bias)
    return nn.Sequential(*layers)


# %% [markdown]
# ## First of all: can it learn 20 samples?
#
# Before any curve, take 20 images and train on nothing else. A model that can learn anything learns them by heart in a
# few steps. One that cannot has a fault in model, loss or labels, and no amount of data or patience will cure it. This
# one test finds more bugs than all others.


# %%
def memorises(model: nn.Module, rate: float = 0.02, steps: int = 120) -> float:
    """The accuracy on 20 images after training on these alone."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(x[:20]), y[:20]).backward()
        optimizer.step()
    return (model(x[:20]).argmax(1) == y[:20]).float().mean().item()


CASES = {
    "sound: ReLU, gain √2": (nn.ReLU, 2**0.5, 0.0),
    "sigmoid": (nn.Sigmoid, 1.0, 0.0),
    "weights too small": (nn.ReLU, 0.5, 0.0),
    "biases of -3": (nn.ReLU, 2**0.5, -3.0),
}
for name, (activation, gain, bias) in CASES.items():
    torch.manual_seed(0)
    share = memorises(make_model(activation, gain, bias))
    print(f"{name:<22} learns {share:.0%} of 20 images by heart")
    assert (share > 0.9) == (name.startswith("sound"))

# %% [markdown]
# Three of the four fail, and their losses look alike: flat. So we look inside.
#
# ## Hooks
#
# `register_forward_hook` has PyTorch call a function of yours after a layer has computed, with the layer's output. The
# model's code stays as it is. Remove a hook when you are done, or it measures for ever.


# %%
def look_inside(model: nn.Sequential, rows: Tensor, labels: Tensor) -> dict[str, list[float]]:
    """Of each hidden layer: the deviation of its outputs, the share of neurons that are 0 for all rows, and the norm
    of the gradient of its weights."""
    found: dict[str, list[float]] = {"output": [], "silent": [], "gradient": []}

    def measure(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found["output"].append(output.std().item())
        found["silent"].append((output == 0).all(dim=0).float().mean().item())

    hooks = [layer.register_forward_hook(measure) for layer in model if not isinstance(layer, nn.Linear)]
    model.zero_grad()
    F.cross_entropy(model(rows), labels).backward()
    for hook in hooks:
        hook.remove()
    found["gradient"] = [layer.weight.grad.norm().item() for layer in model if isinstance(layer, nn.Linear)][:-1]
    return found


inside = {}
for name, (activation, gain, bias) in CASES.items():
    torch.manual_seed(0)
    found = inside[name] = look_inside(make_model(activation, gain, bias), x[:200], y[:200])  # before the first step
    slope = found["gradient"][0] / max(found["gradient"][-1], 1e-30)  # of the first hidden layer to the last
    signal = found["output"][-1] / max(found["output"][0], 1e-30)  # of the last hidden layer to the first
    silent = max(found["silent"])
    print(f"{name:<22} first/last gradient {slope:7.1e}, last/first output {signal:7.1e}, silent at worst {silent:.0%}")
    if name.startswith("sound"):
        assert 0.05 < slope < 20
        assert 0.1 < signal < 10
        assert silent < 0.5
    elif name == "sigmoid":
        assert slope < 1e-3
    elif name == "weights too small":
        assert signal < 1e-3
        assert max(found["gradient"]) < 1e-3
    else:
        assert silent > 0.9

# %% [markdown]
# Now each has its own signs:
#
# - **Sigmoid**: the slope of a sigmoid is at most ¼, so each layer shrinks the gradient to a quarter or less. Twelve
#   layers leave a ten-millionth. The first layer never learns. This is the *vanishing gradient*, and the reason that
#   deep nets use ReLU, residual connections and normalisation.
# - **Weights too small**: a ReLU lets half of its inputs through, which halves the variance; a gain of √2 makes up for
#   it (He et al. 2015). With a gain of 0.5 the signal shrinks from layer to layer until all images look the same to the
#   last. The gradients are tiny everywhere: what the way back does not shrink, the way forward has shrunk before.
# - **Biases of -3**: neurons that are 0 for every image. Their gradient is 0 too, so they never come back: *dead
#   ReLUs*. Nobody sets biases so; one step with a rate far too high does it, in the middle of a training that went
#   well.
#
# ## The same curves in TensorBoard
#
# Numbers that you print are gone when the window closes. `SummaryWriter` appends them to a file of events, and
# `tensorboard --logdir FOLDER` (here: `make tensorboard`) draws them in a browser while the training still runs. A tag
# with a slash, such as `gradient/first`, goes into a group.

# %%
folder = folder_of("debugging") / "events"
for old in folder.glob("events.*"):
    old.unlink()
torch.manual_seed(0)
model = make_model(nn.ReLU, 2**0.5)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
with SummaryWriter(str(folder)) as writer:
    for step in range(200):
        rows = torch.randint(1500, (64,))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        writer.add_scalar("loss/train", loss.item(), step)
        writer.add_scalar("gradient/first", model[0].weight.grad.norm().item(), step)
        writer.add_scalar("gradient/last", model[-1].weight.grad.norm().item(), step)
        if step % 10 == 0:
            with torch.no_grad():
                writer.add_scalar("loss/test", F.cross_entropy(model(x[1500:]), y[1500:]).item(), step)
        optimizer.step()

# %% [markdown]
# The file can be read back, which is how we draw the figure, and how you would compare fifty runs in a script.

# %%
events = EventAccumulator(str(folder))
events.Reload()
print("written:", ", ".join(sorted(events.Tags()["scalars"])))
curves = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
assert len(curves["loss/train"]) == 200
assert curves["loss/test"][-1][1] < curves["loss/test"][0][1]

# %% [markdown]
# ## The figure
#
# Left and middle: outputs and gradients of each layer before the first step. Healthy lines are flat and near 1. A
# sigmoid starves the first layers of gradient; small weights starve all layers of everything; behind dead neurons
# there is nothing at all (drawn at 10⁻⁹). Right: the curves that were read back from TensorBoard's file.

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4))
for name, found in inside.items():
    left.plot(range(1, DEPTH + 1), [max(value, 1e-9) for value in found["output"]], "o-", markersize=4, label=name)
    middle.plot(range(1, DEPTH + 1), [max(value, 1e-9) for value in found["gradient"]], "o-", markersize=4)
left.set(yscale="log", xlabel="layer", title="deviation of the outputs")
middle.set(yscale="log", xlabel="layer", title="norm of the gradient")
left.legend(loc="lower left", bbox_to_anchor=(0, 0.08))
for tag in ("loss/train", "loss/test", "gradient/first", "gradient/last"):
    right.plot(*zip(*curves[tag], strict=True), label=tag, linestyle="--" if tag.startswith("g") else "-")
right.set(xlabel="step", ylim=(-0.2, 7), title="read back from TensorBoard's file")
right.legend()
save_figure(figure, "debugging")

# %% [markdown]
# ## What goes wrong
#
# **A tensor where a number belongs.** A curve has one number a step:
#
# ```python
# import tempfile, torch
# from torch.utils.tensorboard import SummaryWriter
#
# writer = SummaryWriter(tempfile.mkdtemp())
# losses = torch.ones(3)
# writer.add_scalar("loss", losses, 0)
# ```
# ```text
# AssertionError: Tensor should contain one element (0 dimensions). Was given size: 3 and 1 dimensions.
# ```
#
# ```python
# writer.add_scalar("loss", losses.mean().item(), 0)
# writer.close()
# ```
#
# **The gradient is asked for too early.** `grad` is empty until `backward` has run:
#
# ```python
# layer = torch.nn.Linear(3, 3)
# layer.weight.grad.norm()
# ```
# ```text
# AttributeError: 'NoneType' object has no attribute 'norm'
# ```
#
# ```python
# layer(torch.ones(1, 3)).sum().backward()
# layer.weight.grad.norm()
# ```
#
# **A NaN that appears somewhere.** By the time the loss is NaN, so is everything. Anomaly detection names the operation
# whose gradient was the first (it is slow: use it to search, not to train):
#
# ```python
# weight = torch.tensor(0.0, requires_grad=True)
# with torch.autograd.detect_anomaly(check_nan=True):
#     (weight.sqrt() * 0.0).backward()
# ```
# ```text
# RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output.
# ```
#
# The slope of the root is infinite at 0, and infinity times 0 is NaN. A small number inside keeps away from it:
#
# ```python
# ((weight + 1e-8).sqrt() * 0.0).backward()
# assert weight.grad == 0
# ```
#
# ## Exercises
#
# In `lessons/answers/debugging.py`; check them with `make check-lesson NAME=debugging`.
#
# 1. `silent_share`: the share of dead neurons of a layer.
# 2. `gradient_norms`: the norm of each parameter's gradient, by name.
# 3. `record_outputs`: hooks, put on and taken off again.
#
# ## Where this lives
#
# - [`shared/training/metrics.py`](../../shared/src/torchworks/shared/training/metrics.py): `--trainer.tensorboard`
#   writes the curves of any recipe to TensorBoard, beside `metrics.jsonl`.
# - [`shared/training/guard.py`](../../shared/src/torchworks/shared/training/guard.py): the training doctor, which
#   watches losses and gradients, skips bad steps, and says in words what it believes to be the cause.
# - [`shared/training/preflight.py`](../../shared/src/torchworks/shared/training/preflight.py) looks for parameters that
#   a loss does not reach before the first step.
