# %% [markdown]
# # 8. Regularization
#
# A model with more weights than samples can learn its samples by heart; we watch it happen, and measure what five
# remedies are worth.
#
# **Overfitting** means: the training error falls, the error on new data does not. The model has learnt the noise. Every
# remedy makes it harder to learn by heart: fewer or smaller weights, noise in the net, more varied data, an earlier
# end.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure

# %% [markdown]
# ## On paper: twelve points and a polynomial
#
# A polynomial of degree 11 passes through twelve points exactly. Between them it does as it likes. **Ridge regression**
# adds to the squared error a price for large weights, $\lambda \lVert w \rVert^2$, and has a formula:
# $w = (X^\top X + \lambda I)^{-1} X^\top y$.

# %%
generator = torch.Generator().manual_seed(0)
place = torch.linspace(-1, 1, 12, dtype=torch.float64)
height = torch.sin(3 * place) + 0.2 * torch.randn(12, generator=generator, dtype=torch.float64)
fine = torch.linspace(-1, 1, 200, dtype=torch.float64)


def ridge(strength: float) -> Tensor:
    """The fitted polynomial of degree 11 along `fine`."""
    columns = place[:, None] ** torch.arange(12)
    weights = torch.linalg.solve(
        columns.T @ columns + strength * torch.eye(12, dtype=torch.float64), columns.T @ height
    )
    return fine[:, None] ** torch.arange(12) @ weights


curves = {strength: ridge(strength) for strength in (1e-12, 1e-2, 10.0)}
errors = {strength: (curve - torch.sin(3 * fine)).square().mean().sqrt().item() for strength, curve in curves.items()}
for strength, error in errors.items():
    print(f"ridge {strength:<6g} error to the true curve {error:.2f}")
assert errors[1e-2] < errors[1e-12]
assert errors[1e-2] < errors[10.0]

# %% [markdown]
# Too little and it wiggles, too much and it is flat. The strength is chosen on a validation part, never on the training
# part, for there zero always wins.
#
# ## In a net: 100 digits and 25,000 weights

# %%
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16  # (1797, 1, 8, 8)
labels = torch.tensor(digits.target)
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
train, test = order[:100], order[800:]  # in between lies what one would choose by
SEEDS = (0, 1, 2)


def shifted(batch: Tensor) -> Tensor:
    """Each image moved by up to one pixel in each direction: the label stays, the pixels change."""
    padded = F.pad(batch, (1, 1, 1, 1))
    down, right = torch.randint(3, (2, len(batch)))
    rows = (down[:, None] + torch.arange(8))[:, :, None]
    columns = (right[:, None] + torch.arange(8))[:, None, :]
    return padded[torch.arange(len(batch))[:, None, None], 0, rows, columns][:, None]


def fit(seed: int, *, dropout: float = 0.0, decay: float = 0.0, smoothing: float = 0.0, augment: bool = False):
    """The losses on training and test part during 250 steps, and the final accuracy on the test part."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Dropout(dropout), nn.Linear(128, 128), nn.ReLU(),
        nn.Dropout(dropout), nn.Linear(128, 10),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=decay)
    history = []
    for step in range(251):
        if step % 25 == 0:
            net.eval()
            with torch.no_grad():
                history.append([F.cross_entropy(net(images[part]), labels[part]).item() for part in (train, test)])
            net.train()
        batch = train[torch.randint(len(train), (50,))]
        x = shifted(images[batch]) if augment else images[batch]
        loss = F.cross_entropy(net(x), labels[batch], label_smoothing=smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        right = (net(images[test]).argmax(dim=1) == labels[test]).float().mean().item()
    return history, right


remedies = {
    "nothing": {},
    "weight decay": {"decay": 0.3},
    "dropout": {"dropout": 0.5},
    "label smoothing": {"smoothing": 0.1},
    "shifted images": {"augment": True},
    "shifted, dropout": {"augment": True, "dropout": 0.3},
}
results = {}
for name, options in remedies.items():
    runs = [fit(seed, **options) for seed in SEEDS]
    scores = torch.tensor([right for _, right in runs])
    losses = torch.tensor([history for history, _ in runs]).mean(dim=0)  # (11, 2)
    results[name] = (scores.mean().item(), scores.std().item(), losses)
    print(f"{name:<17} {scores.mean():.1%} ± {scores.std():.1%}; loss {losses[-1, 0]:.3f}, on test {losses[-1, 1]:.3f}")
plain = results["nothing"][2][-1]
assert plain[0] < 0.02
assert plain[1] > 20 * plain[0]
assert results["weight decay"][2][-1, 1] < plain[1] - 0.03
assert all(abs(right - results["nothing"][0]) < 0.05 for right, _, _ in results.values())

# %% [markdown]
# Without a remedy the training loss is as good as 0, and the test loss does not care. Now read the numbers rather than
# the textbook. Most remedies leave the **accuracy** where it was, within the spread of three seeds: none of them
# replaces the digits that we do not have. What they lower is the test **loss**. The model is wrong as often, but less
# sure of it, and that matters as soon as somebody acts on its probabilities.
#
# Shifted images even cost a little here, since all test digits stand in the middle: the net learns to read places where
# no digit will ever stand. A remedy helps against a weakness that you have. Measure which one that is.
#
# Of changed images only those are allowed that keep the label. Mirroring helps with cats and ruins
# digits, for a mirrored 2 is no 2.
#
# **Early stopping** is the remedy for free: keep the state with the lowest validation loss. The figure shows where that
# would be.
#
# ## The figure
#
# Left: polynomials. Middle: losses without a remedy and with shifted images; where the solid red line turns upwards,
# learning by heart begins. Right: all remedies, three seeds each: the loss differs, the accuracy does not.

# %%
figure, (paper, curve, bars) = plt.subplots(1, 3, figsize=(14, 4))
paper.plot(fine.numpy(), torch.sin(3 * fine).numpy(), ":", color="black", label="truth")
for strength, values in curves.items():
    paper.plot(fine.numpy(), values.numpy(), label=f"ridge {strength:g}")
paper.scatter(place.numpy(), height.numpy(), color="black", zorder=3)
paper.set(ylim=(-2, 2), title="degree 11 through 12 points")
paper.legend()
for name, color in (("nothing", "tab:red"), ("shifted images", "tab:blue")):
    curve.plot(range(0, 251, 25), results[name][2][:, 1].numpy(), color=color, label=f"{name}, test")
    curve.plot(range(0, 251, 25), results[name][2][:, 0].numpy(), "--", color=color, label=f"{name}, training")
curve.set(yscale="log", ylim=(1e-4, 4), xlabel="step", ylabel="cross entropy", title="100 digits to learn from")
curve.legend(loc="lower left")
bars.barh(list(results), [losses[-1, 1].item() for _, _, losses in results.values()], color="tab:blue")
for row, (right, spread, _) in enumerate(results.values()):
    bars.text(0.02, row, f"{right:.1%} ± {spread:.1%} right", va="center", color="white")
bars.set(title="test loss at the end", xlabel="cross entropy")
bars.invert_yaxis()
figure.tight_layout()
save_figure(figure, "regularization")

# %% [markdown]
# ## What goes wrong
#
# **Functional dropout that never stops.** `F.dropout` does not know the model's mode. It is on by default, in use too:
#
# ```python
# import torch
# from torch import nn
# from torch.nn import functional as F
#
#
# class Net(nn.Module):
#     def forward(self, x):
#         return F.dropout(x, 0.5)
#
#
# torch.manual_seed(0)
# print(Net().eval()(torch.ones(6)))
# ```
# ```text
# tensor([…0., …2.…])
# ```
#
# Pass the mode on, or use the module `nn.Dropout`, which knows it:
#
# ```python
# class Net(nn.Module):
#     def forward(self, x):
#         return F.dropout(x, 0.5, training=self.training)
#
#
# assert torch.equal(Net().eval()(torch.ones(6)), torch.ones(6))
# ```
#
# **Percent for a share.**
#
# ```python
# nn.Dropout(50)
# ```
# ```text
# ValueError: dropout probability has to be between 0 and 1, but got 50
# ```
#
# ```python
# nn.Dropout(0.5)
# ```
#
# **Decay on everything.** No message. Weight decay pulls towards 0, and for a batch norm's scale that is not "simple"
# but "switched off". Give biases and norms to the optimizer without decay; exercise 3 sorts them.
#
# ## Exercises
#
# In `lessons/answers/regularization.py`; check them with `make check-lesson NAME=regularization`.
#
# 1. `dropout`: by hand, such that the mean stays.
# 2. `ridge_weights`: the formula above.
# 3. `decay_groups`: which parameters get weight decay.
#
# ## Where this lives
#
# - [`shared/training/optim.py`](../../shared/src/torchworks/shared/training/optim.py) gives norms and biases no decay.
# - [`shared/data/augment.py`](../../shared/src/torchworks/shared/data/augment.py): changes of images that depend on
#   seed and place alone, so that a run can be repeated.
# - [`classification/mixing.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/classification/mixing.py): MixUp
#   and CutMix, which mix images and labels.
