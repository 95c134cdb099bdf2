# %% [markdown]
# # 3. From a neuron to an MLP
#
# One neuron draws one straight line; on the iris flowers we see which question it cannot answer, and why a second layer
# can.
#
# Iris is a table of 150 flowers of three species, with four lengths of each. It is small and old, and just right here:
# two of its four columns fit on paper, so that we can see what a model does.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure

iris = load_iris()
petals = iris.data[:, 2:]  # length and width of a petal, in cm
train_x, test_x, train_y, test_y = train_test_split(
    torch.tensor(petals, dtype=torch.float32),
    torch.tensor(iris.target),
    test_size=0.4,
    random_state=0,
    stratify=iris.target,
)
mean, spread = train_x.mean(dim=0), train_x.std(dim=0)
train_x, test_x = (train_x - mean) / spread, (test_x - mean) / spread  # by the training part's numbers, both
print(f"{len(train_x)} flowers to learn from, {len(test_x)} to be judged by")

# %% [markdown]
# Both parts are scaled by mean and spread of the **training** part. Were the test part used as well, the model would
# have seen something of it. Here the difference is tiny; the habit is not.
#
# ## A neuron
#
# A neuron multiplies each input by a weight, adds a bias, and squeezes the sum between 0 and 1:
# $p = \sigma(w_1 x_1 + w_2 x_2 + b)$. Read $p$ as "how sure am I that it is one". Where the sum is 0, $p$ is one half.
# That is a straight line in the plane, and the neuron can draw nothing else.
#
# The question: is this flower a *setosa*? The loss is the **cross entropy**: minus the logarithm of the probability
# that was given to the truth. To be sure and wrong is expensive: at $p = 0.01$ it costs 4.6, at $p = 0.5$ only 0.7.
# Its gradient is as simple as can be: guess minus truth, times the input.


# %%
def train_neuron(x: Tensor, truth: Tensor, steps: int = 500, rate: float = 1.0) -> tuple[Tensor, Tensor]:
    """Weights and bias of a neuron that answers yes or no, by gradients that we derived ourselves."""
    weight, bias = torch.zeros(x.shape[1]), torch.zeros(())
    for _ in range(steps):
        probability = torch.sigmoid(x @ weight + bias)
        error = probability - truth  # the derivative of the cross entropy by the sum
        weight -= rate * (error @ x) / len(x)
        bias -= rate * error.mean()
    return weight, bias


def share_right(score: Tensor, truth: Tensor) -> float:
    """The share of flowers on the right side of score 0."""
    return ((score > 0) == truth.bool()).float().mean().item()


setosa = train_neuron(train_x, (train_y == 0).float())
setosa_right = share_right(test_x @ setosa[0] + setosa[1], test_y == 0)
print(f"is it setosa?      one neuron: {setosa_right:.1%}")
assert setosa_right == 1.0

# %% [markdown]
# All right: setosas have short petals, and one line separates them. Now the harder question: is it a *versicolor*?
# They lie **between** the other two. No single line has one species on one side and the species left *and* right of it
# on the other.

# %%
versicolor = train_neuron(train_x, (train_y == 1).float())
one_neuron = share_right(test_x @ versicolor[0] + versicolor[1], test_y == 1)
majority = (test_y != 1).float().mean().item()
print(f"is it versicolor?  one neuron: {one_neuron:.1%}; always 'no': {majority:.1%}")
assert one_neuron < 0.85

# %% [markdown]
# ## A second layer
#
# Let eight neurons each draw a line, and a ninth combine their answers. This is a **multi-layer perceptron**, an MLP.
# Between the layers stands a bend, here ReLU: negative sums become 0. The bend is the point of it all. Without it two
# layers are one: $W_2 (W_1 x + b_1) + b_2$ is again a matrix times $x$ plus a vector.

# %%
torch.manual_seed(0)
straight = nn.Sequential(nn.Linear(2, 8), nn.Linear(8, 1))  # no bend between
merged = nn.Linear(2, 1)
with torch.no_grad():
    merged.weight.copy_(straight[1].weight @ straight[0].weight)
    merged.bias.copy_(straight[1].weight @ straight[0].bias + straight[1].bias)
assert torch.allclose(straight(test_x), merged(test_x), atol=1e-6)
print("two layers without a bend are one layer: the same answers")


# %%
def train_mlp(net: nn.Module, truth: Tensor, steps: int = 300) -> nn.Module:
    """The net after training on all training flowers at once, to answer yes or no."""
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(net(train_x).squeeze(1), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


mlp = train_mlp(nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)), (train_y == 1).float())
with torch.no_grad():
    with_bend = share_right(mlp(test_x).squeeze(1), test_y == 1)
print(f"is it versicolor?  MLP: {with_bend:.1%}")
assert with_bend > 0.9

# %% [markdown]
# ## Three answers at once
#
# For three species a model has three outputs, one score each, called **logits**. Softmax turns them into probabilities
# that sum to 1. `F.cross_entropy` takes the logits themselves, because it can then compute softmax and logarithm
# together without losing precision.
#
# We ask honestly whether the MLP is needed, by logistic regression beside it. That is one linear layer.

# %%
torch.manual_seed(0)
classifier = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(classifier.parameters(), lr=0.03)
for _ in range(200):
    loss = F.cross_entropy(classifier(train_x), train_y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    mlp_right = (classifier(test_x).argmax(dim=1) == test_y).float().mean().item()
linear_right = LogisticRegression().fit(train_x.numpy(), train_y.numpy()).score(test_x.numpy(), test_y.numpy())
print(f"three species      MLP: {mlp_right:.1%}; logistic regression: {linear_right:.1%}")
assert min(mlp_right, linear_right) > 0.9

# %% [markdown]
# No difference worth a word. With three scores a linear model can put *versicolor* in the middle, so here the simple
# one is enough. The second layer pays where the question needs bent borders, as above. Always try the line first.
#
# ## The figure
#
# What each model answers everywhere in the plane. Left, one neuron on the hard question: a line, and no line helps.
# Middle, the MLP: a band. Right, three species.

# %%
grid_x, grid_y = torch.meshgrid(torch.linspace(-2, 2.2, 200), torch.linspace(-2, 2.2, 200), indexing="xy")
plane = torch.stack([grid_x, grid_y], dim=2).view(-1, 2)
with torch.no_grad():
    answers = {
        f"versicolor? one neuron, {one_neuron:.0%}": torch.sigmoid(plane @ versicolor[0] + versicolor[1]),
        f"versicolor? MLP, {with_bend:.0%}": torch.sigmoid(mlp(plane).squeeze(1)),
        f"three species, MLP, {mlp_right:.0%}": classifier(plane).softmax(dim=1),
    }
colors = torch.tensor([[0.85, 0.37, 0.01], [0.46, 0.44, 0.70], [0.11, 0.62, 0.47]])
figure, axes = plt.subplots(1, 3, figsize=(13, 4.3), sharey=True)
for axis, (title, answer) in zip(axes, answers.items(), strict=True):
    if answer.ndim == 1:
        answer = torch.stack([(1 - answer) / 2, answer, (1 - answer) / 2], dim=1)
    axis.imshow((answer @ colors).view(200, 200, 3).numpy(), extent=(-2, 2.2, -2, 2.2), origin="lower", alpha=0.6)
    for species in range(3):
        axis.scatter(*test_x[test_y == species].T.numpy(), color=colors[species].numpy(), edgecolors="black", s=28)
    axis.set(title=title, xlabel="petal length (scaled)")
axes[0].set_ylabel("petal width (scaled)")
axes[2].legend(["setosa", "versicolor", "virginica"], loc="upper left", framealpha=0.9)
save_figure(figure, "neuron")

# %% [markdown]
# ## What goes wrong
#
# **Softmax before cross entropy.** `cross_entropy` applies softmax itself. Twice is no error, but the loss cannot get
# near 0 any more: with three classes it stays above 0.55, even for a model that is perfectly sure and right.
#
# ```python
# import torch
# from torch import nn
# from torch.nn import functional as F
#
# logits = torch.tensor([[100.0, 0.0, 0.0]])  # very sure of class 0
# truth = torch.tensor([0])
# print(round(F.cross_entropy(logits.softmax(dim=1), truth).item(), 4))
# ```
# ```text
# 0.5514
# ```
#
# ```python
# assert F.cross_entropy(logits, truth).item() == 0.0
# ```
#
# **Labels of the wrong type.** Labels read from a table are often decimal numbers, and often a column.
#
# ```python
# F.cross_entropy(logits, torch.tensor([0.0]))
# ```
# ```text
# RuntimeError: expected target dtype to be Long or Byte, but got Float
# ```
#
# ```python
# F.cross_entropy(logits, torch.tensor([0.0]).long())
# ```
#
# **A layer that does not fit its input.** `mat1` is the input, `mat2` the weight: the 4 and the 2 should be equal.
#
# ```python
# flowers = torch.randn(150, 4)
# nn.Linear(2, 8)(flowers)
# ```
# ```text
# RuntimeError: mat1 and mat2 shapes cannot be multiplied (150x4 and 2x8)
# ```
#
# ```python
# nn.Linear(4, 8)(flowers)
# ```
#
# ## Exercises
#
# In `lessons/answers/neuron.py`; check them with `make check-lesson NAME=neuron`.
#
# 1. `neuron`: the probability that a neuron gives to each row of a table.
# 2. `cross_entropy`: from logits, and still right where logits are large.
# 3. `count_weights`: how many numbers an MLP learns.
#
# ## Where this lives
#
# - [`cnn-vision/classification/task.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/classification/task.py):
#   cross entropy of a batch, in the form in which the trainer takes it.
# - [`shared/classification/metrics.py`](../../shared/src/torchworks/shared/classification/metrics.py): from logits to
#   accuracy and its companions.
