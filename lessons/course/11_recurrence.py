# %% [markdown]
# # 11. RNN and LSTM by hand
#
# We write a recurrent layer and an LSTM in a few lines, find them equal to PyTorch's, and see why the plain one
# forgets.
#
# A sentence has no fixed length, so no fixed number of inputs. A **recurrent** net reads one element at a time and
# keeps a state: what it remembers so far. The same weights are used at every step, as a convolution uses them at every
# place.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure

# %% [markdown]
# ## The plain recurrent layer
#
# $h_t = \tanh(W_{x} x_t + W_{h} h_{t-1} + b)$: mix what you see with what you remember, and bend it. PyTorch has two
# biases, one for each product. Their sum would do; it is a habit of the GPU library underneath.


# %%
def rnn(x: Tensor, layer: nn.RNN) -> Tensor:
    """(N, T, D) → (N, T, H), with the weights of a layer of PyTorch."""
    h = x.new_zeros(len(x), layer.hidden_size)
    states = []
    for step in range(x.shape[1]):
        h = torch.tanh(
            x[:, step] @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T + layer.bias_hh_l0
        )
        states.append(h)
    return torch.stack(states, dim=1)


# %% [markdown]
# ## The LSTM
#
# It has a second state, the **cell**, which is a conveyor belt: from step to step it is multiplied by a gate and added
# to, and never passed through a matrix. Four small layers decide what happens to it:
#
# - the **forget** gate: how much of the belt stays;
# - the **input** gate and the **candidate**: how much of what is put on it;
# - the **output** gate: how much of it is shown.


# %%
def lstm(x: Tensor, layer: nn.LSTM) -> Tensor:
    """(N, T, D) → (N, T, H), with the weights of a layer of PyTorch, which stacks the four layers into one."""
    h = c = x.new_zeros(len(x), layer.hidden_size)
    states = []
    for step in range(x.shape[1]):
        mixed = x[:, step] @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T + layer.bias_hh_l0
        enter, forget, candidate, show = mixed.chunk(4, dim=1)
        c = forget.sigmoid() * c + enter.sigmoid() * candidate.tanh()
        h = show.sigmoid() * c.tanh()
        states.append(h)
    return torch.stack(states, dim=1)


torch.manual_seed(0)
sequence = torch.randn(3, 12, 5)
for ours, layer in ((rnn, nn.RNN(5, 7, batch_first=True)), (lstm, nn.LSTM(5, 7, batch_first=True))):
    theirs, _ = layer(sequence)
    assert torch.allclose(ours(sequence, layer), theirs, atol=1e-6)
    print(f"{ours.__name__}: ours equals PyTorch's, (3, 12, 5) → {tuple(theirs.shape)}")

# %% [markdown]
# ## Why the plain one forgets
#
# To learn that the first word decides, the gradient must travel from the last state back to the first input. On each
# step it is multiplied by $W_h$ and by the slope of tanh, which is at most 1. A number below 1, multiplied fifty times
# by itself, is 0; above 1 it explodes.
#
# On the LSTM's belt it is multiplied by the forget gate only. If that is near 1, which a bias of 2 or 3 arranges at the
# start, the gradient arrives. We measure it: how strongly does the last state depend on the input `d` steps before?


# %%
def reach(layer: nn.Module, length: int = 50, size: int = 32) -> Tensor:
    """The size of the last state's gradient by each input, the latest input first."""
    x = torch.randn(16, length, size, requires_grad=True)
    output, _ = layer(x)
    output[:, -1].sum().backward()
    return x.grad.norm(dim=2).mean(dim=0).flip(0)


layers = {
    "RNN": nn.RNN(32, 32, batch_first=True),
    "LSTM": nn.LSTM(32, 32, batch_first=True),
    "LSTM, forget bias 3": nn.LSTM(32, 32, batch_first=True),
}
with torch.no_grad():
    layers["LSTM, forget bias 3"].bias_ih_l0[32:64] = 3.0  # the second quarter belongs to the forget gate
reaches = {name: reach(layer) for name, layer in layers.items()}
for name, sizes in reaches.items():
    print(f"{name:<20} gradient after 40 steps: {sizes[40] / sizes[0]:.0e} of the latest one")
kept = {name: (sizes[40] / sizes[0]).item() for name, sizes in reaches.items()}
assert kept["RNN"] < 1e-4
assert kept["LSTM, forget bias 3"] > 100 * kept["RNN"]

# %% [markdown]
# ## Reading digits row by row
#
# A net that sees one row of eight pixels at a time, from top to bottom, and says after each which digit it believes in.

# %%
digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32) / 16  # (1797, 8, 8): eight steps of eight numbers
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
train, test = order[:1000], order[1000:]


class Reader(nn.Module):
    """Scores of ten digits after each row."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 48, batch_first=True)
        self.head = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0])  # (N, 8, 10)


torch.manual_seed(0)
reader = Reader()
optimizer = torch.optim.Adam(reader.parameters(), lr=1e-2)
for _ in range(700):
    rows = train[torch.randint(len(train), (64,))]
    loss = F.cross_entropy(reader(x[rows]).flatten(0, 1), y[rows].repeat_interleave(8))  # judged after every row
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(reader.parameters(), 1.0)  # against gradients that explode
    optimizer.step()
with torch.no_grad():
    belief = reader(x[test]).softmax(dim=2)  # (797, 8, 10)
by_row = (belief.argmax(dim=2) == y[test][:, None]).float().mean(dim=0)
print("right after each row:", " ".join(f"{value:.0%}" for value in by_row.tolist()))
assert by_row[-1] > 0.9
assert by_row[-1] > by_row[0] + 0.4

# %% [markdown]
# ## The figure
#
# Left: how far gradients reach; note the logarithmic scale. Middle and right: a digit, and what the reader believes
# after each of its rows.

# %%
figure, axes = plt.subplots(1, 5, figsize=(16, 3.6), width_ratios=[2.2, 1, 1, 1, 1])
for name, sizes in reaches.items():
    axes[0].plot((sizes / sizes[0]).numpy(), label=name)
axes[0].set(yscale="log", xlabel="steps back", ylabel="gradient, relative", title="how far a gradient reaches")
axes[0].legend()
unsure = belief.max(dim=2).values.mean(dim=1).argsort()
for place, number in ((1, unsure[-1].item()), (3, unsure[100].item())):
    axes[place].imshow(x[test[number]].numpy(), cmap="gray_r")
    axes[place].set(title=f"a {y[test[number]]}", xticks=[], ylabel="row", yticks=range(8))
    axes[place + 1].imshow(belief[number].numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes[place + 1].set_box_aspect(1)  # its rows beside those of the digit
    axes[place + 1].set(title="belief after each row", xlabel="digit", xticks=range(10), yticks=[])
figure.tight_layout()
save_figure(figure, "recurrence")

# %% [markdown]
# ## What goes wrong
#
# **`batch_first` forgotten.** Recurrent layers take (T, N, D) unless you say otherwise. With your (N, T, D) they run,
# mix samples with time, and complain about nothing. Look at the state's shape: its second number should be your batch.
#
# ```python
# import torch
# from torch import nn
#
# batch = torch.randn(32, 10, 5)  # 32 sequences of 10 steps
# output, (h, c) = nn.LSTM(5, 7)(batch)
# print(tuple(h.shape))
# ```
# ```text
# (1, 10, 7)
# ```
#
# ```python
# output, (h, c) = nn.LSTM(5, 7, batch_first=True)(batch)
# assert h.shape == (1, 32, 7)
# ```
#
# **A state of another batch.** The last batch of an epoch is smaller, and the kept state does not fit.
#
# ```python
# layer = nn.LSTM(5, 7, batch_first=True)
# _, state = layer(torch.randn(32, 10, 5))
# layer(torch.randn(20, 10, 5), state)
# ```
# ```text
# RuntimeError: Expected hidden[0] size (1, 20, 7), got [1, 32, 7]
# ```
#
# Start new sequences with a new state; `drop_last=True` where states are kept on purpose.
#
# ```python
# layer(torch.randn(20, 10, 5))
# ```
#
# **A kept state with its history.** The second `backward` runs into the graph of the first batch.
#
# ```python
# _, state = layer(torch.randn(4, 10, 5))
# state[0].sum().backward()
# output, _ = layer(torch.randn(4, 10, 5), state)
# output.sum().backward()
# ```
# ```text
# RuntimeError: Trying to backward through the graph a second time…
# ```
#
# ```python
# state = tuple(part.detach() for part in state)  # the numbers stay, the history goes
# output, _ = layer(torch.randn(4, 10, 5), state)
# output.sum().backward()
# ```
#
# ## Exercises
#
# In `lessons/answers/recurrence.py`; check them with `make check-lesson NAME=recurrence`.
#
# 1. `gru_step`: one step of the LSTM's smaller sister.
# 2. `last_outputs`: the last state of sequences of different lengths.
# 3. `clip_gradients`: shorten gradients that are too long.
#
# ## Where this lives
#
# - [`seq-models/models/recurrent.py`](../../packages/seq-models/src/torchworks/seq_models/models/recurrent.py): RNN,
#   LSTM and GRU, equal to PyTorch's in outputs and gradients.
# - [`seq-models/models/recurrent_lm.py`](../../packages/seq-models/src/torchworks/seq_models/models/recurrent_lm.py): a
#   language model with them, the recipe `lm-lstm`.
# - [`shared/training/guard.py`](../../shared/src/torchworks/shared/training/guard.py) watches the size of gradients.
