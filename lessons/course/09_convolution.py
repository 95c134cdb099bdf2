# %% [markdown]
# # 9. A CNN from scratch
#
# Convolution by four loops, by one matrix product and by PyTorch gives the same numbers; then a small CNN reads digits
# that moved, which an MLP cannot.
#
# An image is not a list of unrelated numbers. Neighbours belong together, and a stroke is a stroke wherever it stands.
# A **convolution** builds both facts in: a small filter looks at 3×3 pixels, and the same filter looks everywhere.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure

# %% [markdown]
# ## Four loops
#
# For each filter and each place: multiply the patch by the filter, add it all up. That is all of it. (Mathematicians
# call this cross-correlation; a convolution would flip the filter. As filters are learnt, nobody minds.)


# %%
def convolve_by_loops(image: Tensor, filters: Tensor, bias: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """(C, H, W) and filters (F, C, k, k) → (F, H', W')."""
    image = F.pad(image, (padding,) * 4)
    size = filters.shape[-1]
    height, width = ((side - size) // stride + 1 for side in image.shape[1:])
    result = torch.zeros(len(filters), height, width)
    for number in range(len(filters)):
        for row in range(height):
            for column in range(width):
                top, left = row * stride, column * stride
                patch = image[:, top : top + size, left : left + size]  # (C, k, k)
                result[number, row, column] = (patch * filters[number]).sum() + bias[number]
    return result


# %% [markdown]
# ## One matrix product
#
# The loops do the same sum again and again, and machines are best at one thing: matrix products. `unfold` writes every
# patch as a column. Then all filters at all places are one product. Many libraries did exactly this for years; it is
# called *im2col*. The price is memory: each pixel is copied nine times.


# %%
def convolve_by_unfold(images: Tensor, filters: Tensor, bias: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """(N, C, H, W) and filters (F, C, k, k) → (N, F, H', W')."""
    size = filters.shape[-1]
    columns = F.unfold(images, size, stride=stride, padding=padding)  # (N, C·k·k, places)
    result = filters.flatten(1) @ columns + bias[:, None]  # (N, F, places)
    height, width = ((side + 2 * padding - size) // stride + 1 for side in images.shape[2:])
    return result.view(len(images), len(filters), height, width)


torch.manual_seed(0)
images, filters, bias = torch.randn(2, 3, 8, 9), torch.randn(4, 3, 3, 3), torch.randn(4)
for stride, padding in ((1, 0), (1, 1), (2, 1)):
    theirs = F.conv2d(images, filters, bias, stride, padding)
    unfolded = convolve_by_unfold(images, filters, bias, stride, padding)
    loops = torch.stack([convolve_by_loops(image, filters, bias, stride, padding) for image in images])
    assert torch.allclose(unfolded, theirs, atol=1e-5)
    assert torch.allclose(loops, theirs, atol=1e-5)
    print(f"stride {stride}, padding {padding}: (2, 3, 8, 9) → {tuple(theirs.shape)}, three ways, the same numbers")

# %% [markdown]
# The size of the result is worth knowing by heart: $\lfloor (n + 2p - k) / s \rfloor + 1$. With $k = 3$ and $p = 1$ it
# stays, and with stride 2 it halves.
#
# ## What a convolution saves
#
# A linear layer from 8×8 pixels to 8 maps of 8×8 has 64 × 512 weights. A convolution has 8 × 9, and what it learnt at
# one place it knows at all others: move the image, and the result moves along. This is called **equivariance**.

# %%
linear, convolution = nn.Linear(64, 512), nn.Conv2d(1, 8, 3, padding=1)
linear_weights, conv_weights = (sum(p.numel() for p in layer.parameters()) for layer in (linear, convolution))
print(f"weights: linear {linear_weights:,}, convolution {conv_weights}")
dot = torch.zeros(1, 1, 8, 8)
dot[0, 0, 3, 3] = 1.0
assert torch.allclose(convolution(dot.roll(2, dims=3)), convolution(dot).roll(2, dims=3), atol=1e-6)

# %% [markdown]
# ## Does it pay?
#
# Two nets learn from 600 digits. Then the test digits are moved by a pixel, which changes nothing for a human reader.
# Pooling at the end asks "is there such a stroke?" rather than "where?".

# %%
digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
train, test = order[:600], order[600:]


def make_cnn() -> nn.Sequential:
    """Two convolutions, halved in between, and the largest answer of each of 32 filters."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip


def make_mlp() -> nn.Sequential:
    """About as many weights as the CNN."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 68), nn.ReLU(), nn.Linear(68, 10))


def fit(net: nn.Module) -> nn.Module:
    """The net after 300 steps of Adam."""
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(300):
        batch = train[torch.randint(len(train), (64,))]
        loss = F.cross_entropy(net(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def accuracy(net: nn.Module, images: Tensor) -> float:
    """The share of right answers on the test part."""
    with torch.no_grad():
        return (net(images[test]).argmax(dim=1) == y[test]).float().mean().item()


moved = F.pad(x, (1, 0, 0, 0))[..., :8]  # one pixel to the right
scores = {"MLP": [], "CNN": []}
for seed in (0, 1, 2):
    for name, make in (("MLP", make_mlp), ("CNN", make_cnn)):
        torch.manual_seed(seed)
        net = fit(make())
        scores[name].append([accuracy(net, x), accuracy(net, moved)])
cnn = net
means = {name: torch.tensor(values).mean(dim=0) for name, values in scores.items()}
for name, make in (("MLP", make_mlp), ("CNN", make_cnn)):
    count = sum(weight.numel() for weight in make().parameters())
    print(f"{name}, {count:,} weights: {means[name][0]:.1%} as they are, {means[name][1]:.1%} moved by a pixel")
assert means["CNN"][0] > 0.95
assert means["CNN"][1] > means["MLP"][1] + 0.2

# %% [markdown]
# As long as digits stand where they stood in training, the MLP is nearly as good. One pixel to the side, and it falls
# apart, for it has learnt *pixels*; the CNN has learnt *strokes*.
#
# ## The figure
#
# The sixteen filters that the CNN learnt, and what they answer to a digit: edges from above, from the left, along a
# diagonal. Nobody told it to look for edges.

# %%
with torch.no_grad():
    first = cnn[0]
    maps = first(x[test[0]][None])[0].relu()
figure, axes = plt.subplots(2, 17, figsize=(15, 2.4))
axes[0, 0].axis("off")
axes[1, 0].imshow(x[test[0], 0].numpy(), cmap="gray_r")
for number in range(16):
    weights = first.weight[number, 0].detach().numpy()
    largest = abs(weights).max()
    axes[0, number + 1].imshow(weights, cmap="RdBu", vmin=-largest, vmax=largest)
    axes[1, number + 1].imshow(maps[number].numpy(), cmap="Blues")
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
axes[0, 1].set_ylabel("filter")
axes[1, 0].set_ylabel("digit")
figure.suptitle("sixteen learnt filters, and where each of them answers")
save_figure(figure, "convolution")

# %% [markdown]
# ## What goes wrong
#
# **The channels are missing.** Gray images from NumPy are (N, H, W). PyTorch takes the first dimension for channels:
#
# ```python
# import torch
# from torch import nn
#
# gray = torch.randn(32, 8, 8)
# nn.Conv2d(1, 16, 3)(gray)
# ```
# ```text
# RuntimeError: Given groups=1, weight of size [16, 1, 3, 3], expected input[1, 32, 8, 8] to have 1 channels, but got 32
# channels instead
# ```
#
# ```python
# nn.Conv2d(1, 16, 3)(gray[:, None])
# ```
#
# **Channels last.** Pillow and OpenCV give (H, W, C); models want (C, H, W). `view` only renames the axes and makes
# noise of the image, without a message; `permute` moves them:
#
# ```python
# red = torch.zeros(4, 4, 3)
# red[..., 0] = 1.0
# print(red.view(3, 4, 4)[0].mean().item(), red.permute(2, 0, 1)[0].mean().item())
# ```
# ```text
# 0.375 1.0
# ```
#
# ```python
# assert (red.permute(2, 0, 1)[0] == 1.0).all()
# ```
#
# **The linear layer does not fit.** The numbers behind `Flatten` depend on the size of the image:
#
# ```python
# net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(256, 10))
# net(torch.randn(2, 1, 8, 8))
# ```
# ```text
# RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x144 and 256x10)
# ```
#
# Pool to one place first; then every image size will do:
#
# ```python
# net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
# net(torch.randn(2, 1, 8, 8))
# net(torch.randn(2, 1, 20, 30))
# ```
#
# ## Exercises
#
# In `lessons/answers/convolution.py`; check them with `make check-lesson NAME=convolution`.
#
# 1. `output_size`: the formula above, with dilation.
# 2. `max_pool`: pooling without PyTorch's.
# 3. `receptive_field`: how many pixels a neuron sees.
#
# ## Where this lives
#
# - [`cnn-vision/models/vgg.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/vgg.py): convolutions,
#   stacked.
# - [`cnn-vision/models/resnet.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/resnet.py): with
#   shortcuts, so that fifty of them can be trained.
# - [`cnn-vision/models/blocks.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/blocks.py): the pieces
#   that many of them share.
