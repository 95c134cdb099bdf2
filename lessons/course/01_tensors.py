# %% [markdown]
# # 1. Tensors
#
# A tensor is a block of numbers with a shape; this lesson reads, cuts and combines them, and ends with a classifier
# of handwritten digits in four lines.
#
# Everything in this course is a tensor: an image, a sentence, the weights of a model, and the error it makes. If you
# can say the shape of a tensor at each line, you can read any model. So we practise that first.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

from torchworks.lessons import save_figure

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)  # (1797, 8, 8), gray values from 0 to 16
labels = torch.tensor(digits.target)  # (1797,), the digits 0 to 9
print("images", tuple(images.shape), images.dtype, "labels", tuple(labels.shape), labels.dtype)

# %% [markdown]
# ## Shape, type, device
#
# Three properties decide what you may do with a tensor.
#
# - The **shape** says how many numbers there are along each dimension. Read `(1797, 8, 8)` as "1,797 times 8 rows of 8
#   columns". PyTorch puts the sample first, always: functions treat the first dimension as "many of these".
# - The **dtype** says what a number is. Models compute in `float32`; class labels are whole numbers, `int64`, because
#   they are used to look things up, and there is no class 2.5.
# - The **device** says where the numbers lie: `cpu`, or `cuda:0` for a GPU. Two tensors must lie in the same place to
#   meet in one operation.

# %%
assert images.shape == (1797, 8, 8)
assert images.dtype == torch.float32
assert labels.dtype == torch.int64
assert images.device == torch.device("cpu")

# %% [markdown]
# ## Cutting pieces out
#
# Indexing works as in NumPy. A number takes one element and the dimension disappears; a slice keeps the dimension; a
# tensor of truth values keeps the elements for which it holds.

# %%
first = images[0]  # (8, 8): one image, the dimension of samples is gone
one = images[0:1]  # (1, 8, 8): a batch that holds one image
left = images[:, :, :4]  # (1797, 8, 4): the left half of every image
threes = images[labels == 3]  # (183, 8, 8): all images of a three
print("first", tuple(first.shape), " one", tuple(one.shape), " left", tuple(left.shape), " threes", tuple(threes.shape))
assert (labels == 3).sum() == len(threes) == 183

# %% [markdown]
# The difference between `images[0]` and `images[0:1]` looks small and causes many errors: models want a batch, so one
# image must come as `(1, 8, 8)`. `first.unsqueeze(0)` or `first[None]` puts the missing dimension back.
#
# ## The same numbers in another shape
#
# A tensor is a list of numbers in memory, plus a rule for finding the element at `[i, j, k]`. The rule is called the
# **stride**: how many numbers to step over for the next element along each dimension. Many operations change the rule
# only and leave the numbers where they are. They cost nothing, and both tensors share one memory.

# %%
flat = images.view(1797, 64)  # each image as one row
turned = first.T  # rows become columns
print("stride of images", images.stride(), " of flat", flat.stride(), " of first.T", turned.stride())
assert flat.data_ptr() == images.data_ptr()  # the same memory
assert images.stride() == (64, 8, 1)
assert turned.stride() == (1, 8)

scratch = images[:2].clone()  # clone copies: what follows must not change our data
scratch.view(2, 64)[0, 0] = 99.0
assert scratch[0, 0, 0] == 99.0  # written through the view, seen in the original
assert images[0, 0, 0] == 0.0  # the clone protected the data

# %% [markdown]
# ## Reductions: along which dimension?
#
# `sum`, `mean`, `max` and their like make a dimension disappear. `dim=` names the one that goes, not the one that
# stays. Ask yourself "over what do I average?" and the answer is `dim`.

# %%
mean_image = images.mean(dim=0)  # over samples → (8, 8)
brightness = images.mean(dim=(1, 2))  # over rows and columns → (1797,)
assert mean_image.shape == (8, 8)
assert brightness.shape == (1797,)

prototypes = torch.stack([images[labels == digit].mean(dim=0) for digit in range(10)])
print("one mean image a digit:", tuple(prototypes.shape))

# %% [markdown]
# ## Broadcasting: shapes that fit without being equal
#
# `images / 16` divides 115,008 numbers by one. PyTorch stretches the smaller tensor, without copying it. The rule has
# two steps, and it is worth learning by heart:
#
# 1. Write the shapes below each other, aligned at the **right**. Missing dimensions on the left count as 1.
# 2. Each pair of sizes must be equal, or one of them must be 1. The 1 is stretched.
#
# ```
#   images  (1797, 8, 8)            points      (1797,  1, 64)
#   mean    (      8, 8)            prototypes  (   1, 10, 64)
#   result  (1797, 8, 8)            result      (1797, 10, 64)
# ```
#
# The right-hand example is the trick behind most vectorised code: put a 1 where the other tensor has its own
# dimension, and you get all pairs at once. Here: every image minus every mean image.

# %%
rows = flat[:, None, :]  # (1797, 1, 64)
means = prototypes.view(1, 10, 64)
distances = (rows - means).square().sum(dim=2).sqrt()  # (1797, 10): each image to each mean image
assert distances.shape == (1797, 10)
assert torch.allclose(distances, torch.cdist(flat, prototypes.view(10, 64)), atol=1e-3)  # PyTorch's own function

# %% [markdown]
# ## A classifier in four lines
#
# A simple idea: an image shows the digit whose mean image it is closest to. To be fair we take the means of the first
# 1,200 images only and judge the other 597, which the means have never seen.

# %%
seen, unseen = slice(0, 1200), slice(1200, None)
centers = torch.stack([flat[seen][labels[seen] == digit].mean(dim=0) for digit in range(10)])  # (10, 64)
guesses = torch.cdist(flat[unseen], centers).argmin(dim=1)  # (597,)
accuracy = (guesses == labels[unseen]).float().mean().item()
print(f"nearest mean image: {accuracy:.1%} of {len(guesses)} unseen digits right (guessing: about 10 %)")
assert accuracy > 0.85

# %% [markdown]
# No gradient, no training loop, no GPU, and almost nine in ten are right. Remember this number: a network that costs a
# hundred times as much must beat it, or it is not worth its price. A simple method beside the clever one is called a
# **baseline**, and this course never shows a score without one.
#
# ## Why not a loop?
#
# A Python loop over 597 × 10 pairs gives the same answer. Each turn of it pays Python's price, though, about a
# microsecond for every little step. A tensor operation pays it once and then runs in compiled code.

# %%
by_loop = []
for image in flat[unseen]:
    apart = [float((image - center).square().sum()) for center in centers]
    by_loop.append(apart.index(min(apart)))
assert by_loop == guesses.tolist()

# %% [markdown]
# ## The figure
#
# Left: an image is nothing but numbers. Middle: the ten mean images, our whole "model". Right: how often digit *i* was
# taken for digit *j*. Look at the row of 1: twelve ones were taken for nines. People write a 1 in several ways, with
# and without a foot, and the mean of several ways is a smear that is close to none of them. A model that can keep
# several ways apart would do better. That is what networks are for.

# %%
confusion = torch.zeros(10, 10)
confusion.index_put_((labels[unseen], guesses), torch.tensor(1.0), accumulate=True)

figure, (left_axis, middle, right) = plt.subplots(1, 3, figsize=(13, 4.2), width_ratios=[1, 1.25, 1.1])
left_axis.imshow(first.numpy(), cmap="Blues")
for row in range(8):
    for column in range(8):
        value = int(first[row, column])
        shade = "white" if value > 9 else "black"
        left_axis.text(column, row, value, ha="center", va="center", fontsize=8, color=shade)
left_axis.set_title("an image of shape (8, 8)")
sheet = torch.nn.functional.pad(centers.view(2, 5, 8, 8), (0, 1, 0, 1)).permute(0, 2, 1, 3).reshape(18, 45)
middle.imshow(sheet.numpy(), cmap="Blues")
middle.set_title("ten mean images, (10, 8, 8)")
shares = confusion / confusion.sum(dim=1, keepdim=True)
right.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
for row in range(10):
    for column in range(10):
        if confusion[row, column]:
            shade = "white" if shares[row, column] > 0.5 else "black"
            text = int(confusion[row, column])
            right.text(column, row, text, ha="center", va="center", fontsize=8, color=shade)
right.set(xticks=range(10), yticks=range(10), xlabel="nearest mean image", ylabel="true digit")
right.set_title(f"{accuracy:.1%} right")
for axis in (left_axis, middle):
    axis.set_xticks([])
    axis.set_yticks([])
save_figure(figure, "tensors")

# %% [markdown]
# ## What goes wrong
#
# **Shapes that do not fit.** The message names the two sizes and the dimension, counted from 0.
#
# ```python
# import torch
#
# images = torch.zeros(1797, 8, 8)
# weights = torch.zeros(1797)
# images * weights
# ```
# ```text
# RuntimeError: The size of tensor a (8) must match the size of tensor b (1797) at non-singleton dimension 2
# ```
#
# Broadcasting aligns at the right, so the 1,797 weights met the 8 columns. Say where the other dimensions are:
#
# ```python
# weighted = images * weights[:, None, None]
# ```
#
# **Shapes that fit, although they should not.** This is worse, because there is no message. A column minus a row is a
# table of all pairs:
#
# ```python
# guess = torch.zeros(5, 1)  # what a model with one output returns
# target = torch.ones(5)
# print((guess - target).shape)
# ```
# ```text
# torch.Size([5, 5])
# ```
#
# The mean of that table is a number too, and a loss made of it trains the model to answer the mean for everything.
# Compare shapes before you compare values:
#
# ```python
# guess = guess.squeeze(1)
# assert guess.shape == target.shape
# ```
#
# **A view of what does not lie in order.** After a transpose neighbours in the shape are no neighbours in memory.
#
# ```python
# torch.zeros(4, 6).T.view(24)
# ```
# ```text
# RuntimeError: view size is not compatible with input tensor's size and stride (at least one dimension spans across
# two contiguous subspaces). Use .reshape(...) instead.
# ```
#
# `reshape` copies when it must, and does what `view` does when it can:
#
# ```python
# torch.zeros(4, 6).T.reshape(24)
# ```
#
# ## Exercises
#
# `make lesson NAME=tensors` has put them into `lessons/answers/tensors.py`. Answer there; then
# `make check-lesson NAME=tensors` tells you which are right, and gives a hint where one is wrong.
#
# 1. `standardize`: bring every column of a table to mean 0 and standard deviation 1, without a loop.
# 2. `one_hot`: turn class labels into rows with a single 1.
# 3. `pairwise_distances`: distances of all pairs of points by broadcasting.
#
# ## Where this lives
#
# - [`shared/data/schema.py`](../../shared/src/torchworks/shared/data/schema.py) states shape and type of everything
#   that a data source yields, so that a wrong one is found before training.
# - [`shared/models/signature.py`](../../shared/src/torchworks/shared/models/signature.py) does the same for a trained
#   model that others will call.
# - [`shared/classification/baselines.py`](../../shared/src/torchworks/shared/classification/baselines.py) has the
#   simple methods that a classifier's score stands beside.
