# %% [markdown]
# # 20. Style transfer
#
# Gradient descent need not train a network: this lesson lets it paint, by changing the pixels of an image until it has
# the content of a photograph and the style of a pattern.
#
# Everywhere else the weights learn and the input is given. Here the weights are frozen, and the **input** is what the
# optimizer moves. The loss asks two things of the image: that a network sees the same *things* in it as in a photograph
# and the same *textures* as in a pattern (Gatys, Ecker and Bethge 2016).

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_sample_image
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.cnn_vision.models.perceptual import gram as package_gram
from torchworks.lessons import save_figure

SIZE = 64
photograph = torch.tensor(load_sample_image("flower.jpg")[40:400, 120:480]).permute(2, 0, 1)[None] / 255
photograph = F.interpolate(photograph, size=(SIZE, SIZE), mode="area")  # (1, 3, 64, 64) in [0, 1]

rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
wave = torch.sin((columns + 3 * torch.sin(rows / 5)) * 0.9)  # wavy stripes, about 7 pixels apart
colors = torch.tensor([[0.05, 0.15, 0.5], [0.95, 0.8, 0.2]])  # blue and gold
mix = (wave[..., None] + 1) / 2
pattern = (colors[0] * (1 - mix) + colors[1] * mix).permute(2, 0, 1)[None]
print("photograph", tuple(photograph.shape), " pattern", tuple(pattern.shape))

# %% [markdown]
# ## A network that nobody trained
#
# The paper uses VGG-19, trained on a million photographs. For textures even a network of **random** weights will do
# (Ustyuzhaninov et al. 2016): its filters are edges and spots of no particular meaning, but they tell patterns apart.
# That spares us a download, and shows how much of style is mere statistics. Three layers, each at half of the size of
# the one before.


# %%
class Features(nn.Module):
    """(1, 3, H, W) → the maps of three layers."""

    def __init__(self):
        super().__init__()
        pairs = (3, 32), (32, 48), (48, 64)
        self.layers = nn.ModuleList(nn.Conv2d(i, o, 5, padding=2, padding_mode="reflect") for i, o in pairs)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)
        self.requires_grad_(False)  # frozen: only the pixels move

    def forward(self, image: Tensor) -> list[Tensor]:
        found, x = [], image * 4 - 2
        for i, layer in enumerate(self.layers):
            x = F.relu(layer(x if i == 0 else F.avg_pool2d(x, 2)))
            found.append(x)
        return found


torch.manual_seed(0)
features = Features()

# %% [markdown]
# ## Style is what occurs together, wherever
#
# A map says *where* a filter answers. Style must forget the where: a brush stroke is a brush stroke in every corner.
# So multiply each map with each other one, and average over all places. The result is the **Gram matrix** (C, C): how
# often do filter *i* and filter *j* answer in the same place?


# %%
def gram(maps: Tensor) -> Tensor:
    """(1, C, H, W) → (1, C, C): products of channels, averaged over places."""
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


with torch.no_grad():
    maps = features(pattern)
    moved = features(pattern.roll((16, 8), dims=(2, 3)))  # the same pattern, elsewhere
same_place = (maps[0] - moved[0]).square().mean() / maps[0].square().mean()
same_style = (gram(maps[0]) - gram(moved[0])).square().mean() / gram(maps[0]).square().mean()
print(f"the pattern moved by 16 pixels: maps differ by {same_place:.1%}, Gram matrices by {same_style:.2%}")
assert same_style < same_place / 10
assert torch.equal(package_gram(maps[1]), gram(maps[1]))  # the package's is the same

# %% [markdown]
# ## Painting
#
# The image is a sigmoid of free numbers, so that it stays between 0 and 1 whatever the optimizer does. Content is
# compared by the maps themselves, style by Gram matrices. Each distance is divided by the size of what is wanted, so
# that the two weigh the same before the style's weight comes in.


# %%
def relative(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().mean() / b.square().mean()


def losses(image: Tensor) -> tuple[Tensor, Tensor]:
    """The distance of the content, and that of the style."""
    found = features(image)
    style = sum(relative(gram(a), b) for a, b in zip(found, style_grams, strict=True)) / len(found)
    return relative(found[-1], content_maps), style


with torch.no_grad():
    content_maps = features(photograph)[-1]
    style_grams = [gram(each) for each in features(pattern)]


def paint(style_weight: float, *, content_weight: float = 1.0, steps: int = 120) -> tuple[Tensor, list[float]]:
    """The image after `steps` of Adam on its pixels, and the total loss at each step."""
    start = photograph if content_weight else 0.5 + 0.1 * torch.randn(1, 3, SIZE, SIZE)
    free = start.clamp(0.02, 0.98).logit().requires_grad_()
    optimizer = torch.optim.Adam([free], lr=0.1)
    history = []
    for _ in range(steps):
        content, style = losses(free.sigmoid())
        loss = content_weight * content + style_weight * style
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return free.detach().sigmoid(), history


torch.manual_seed(1)
results = {
    "a little style": paint(0.5),
    "much style": paint(20.0),
    "style alone, from noise": paint(1.0, content_weight=0.0),
}
scores = {"the photograph": [part.item() for part in losses(photograph)]}
scores["the pattern"] = [part.item() for part in losses(pattern)]
scores |= {name: [part.item() for part in losses(image)] for name, (image, _) in results.items()}
for name, (content, style) in scores.items():
    print(f"{name:<24} content {content:6.3f}   style {style:7.4f}")
assert scores["much style"][1] < scores["a little style"][1] < scores["the photograph"][1]
assert scores["a little style"][0] < scores["much style"][0] < scores["the pattern"][0]
assert scores["style alone, from noise"][1] < 0.1 * scores["the photograph"][1]

# %% [markdown]
# The two baselines stand at the ends: the photograph has all of the content and none of the style, the pattern the
# reverse. A painting lies between, and the weight says where. There is no right weight; it is a matter of taste.
#
# ## The figure
#
# Photograph, pattern, three paintings. The last began as noise and knows nothing of the flower: it is a *new* piece of
# the pattern's texture. Below it the total losses.

# %%
figure, axes = plt.subplots(2, 3, figsize=(11, 7.4))
pictures = [("photograph", photograph), ("pattern", pattern), *((name, image) for name, (image, _) in results.items())]
for axis, (name, image) in zip(axes.flat, pictures, strict=False):
    axis.imshow(image[0].permute(1, 2, 0).numpy(), interpolation="nearest")
    axis.set_title(name)
    axis.set_axis_off()
for name, (_, history) in results.items():
    axes[1, 2].plot([value / history[0] for value in history], label=name)
axes[1, 2].set(yscale="log", xlabel="step", title="loss, of the first step's")
axes[1, 2].legend()
figure.tight_layout()
save_figure(figure, "style")

# %% [markdown]
# ## What goes wrong
#
# **The optimizer gets what is not a leaf.** `torch.rand(…, requires_grad=True) * 2` is a result, and results are not
# stepped:
#
# ```python
# import torch
#
# image = torch.rand(1, 3, 8, 8, requires_grad=True) * 2
# torch.optim.Adam([image])
# ```
# ```text
# ValueError: can't optimize a non-leaf Tensor
# ```
#
# ```python
# image = (torch.rand(1, 3, 8, 8) * 2).requires_grad_()
# torch.optim.Adam([image])
# ```
#
# **The pixels leave [0, 1].** Nothing holds them, and the picture shows wrong colors:
#
# ```python
# image = torch.full((1, 3, 8, 8), 0.99).requires_grad_()
# optimizer = torch.optim.Adam([image], lr=0.1)
# (-image.sum()).backward()
# optimizer.step()
# print(image.max().item() > 1)
# ```
# ```text
# True
# ```
#
# ```python
# free = torch.full((1, 3, 8, 8), 0.99).logit().requires_grad_()
# optimizer = torch.optim.Adam([free], lr=0.1)
# (-free.sigmoid().sum()).backward()
# optimizer.step()
# assert free.sigmoid().max() <= 1
# ```
#
# **The wanted Gram matrices carry a history**, and the second step goes backward through it again:
#
# ```python
# weight = torch.ones(3, requires_grad=True)
# wanted = (weight * 2).square().mean()
# for _ in range(2):
#     (weight.sum() - wanted).square().backward()
# ```
# ```text
# RuntimeError: Trying to backward through the graph a second time …
# ```
#
# ```python
# with torch.no_grad():
#     wanted = (weight * 2).square().mean()
# for _ in range(2):
#     (weight.sum() - wanted).square().backward()
# ```
#
# ## Exercises
#
# In `lessons/answers/style.py`; check them with `make check-lesson NAME=style`.
#
# 1. `gram`: for a batch of maps.
# 2. `total_variation`: how rough an image is.
# 3. `paint`: gradient descent on pixels.
#
# ## Where this lives
#
# - [`cnn_vision/models/neural_style.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/neural_style.py):
#   the same with a trained feature net.
# - [`cnn_vision/models/perceptual.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/perceptual.py): Gram
#   matrices and the other distances.
# - [`cnn_vision/models/fast_style.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/fast_style.py): a net
#   that learns to paint in one pass: `make train-cnn-vision RECIPE=style-fast`.
