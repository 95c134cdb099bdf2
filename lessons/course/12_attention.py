# %% [markdown]
# # 12. Attention in twenty lines
#
# Attention is a soft look-up in a table; we write it, find it equal to PyTorch's, and train one layer that looks up
# what a bag of words cannot.
#
# An LSTM squeezes all that it has read into one state. **Attention** keeps everything and looks up what it needs. Think
# of a dictionary in Python: `table[query]` compares the query with every key and returns the value of the one that
# fits. Attention does so softly: it returns a mixture of **all** values, weighted by how well their keys fit. Because
# the mixture is smooth, the keys and queries can be learnt.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure

# %% [markdown]
# ## The twenty lines
#
# $\mathrm{softmax}(Q K^\top / \sqrt{d})\, V$. Line by line: compare every query with every key, block what may not be
# seen, turn the scores into weights that sum to 1, and mix the values.


# %%
def attention(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Values mixed for each query, and the weights: (…, L, d), (…, S, d), (…, S, e) → (…, L, e), (…, L, S)."""
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -math.inf)
    weights = scores.softmax(dim=-1)
    return weights @ value, weights


def multi_head(x: Tensor, layer: nn.MultiheadAttention, allowed: Tensor | None = None) -> Tensor:
    """Several small attentions side by side, with the weights of a layer of PyTorch: (N, L, D) → (N, L, D)."""
    batch, length, size = x.shape
    mixed = x @ layer.in_proj_weight.T + layer.in_proj_bias  # queries, keys and values at once: (N, L, 3D)
    query, key, value = (
        part.view(batch, length, layer.num_heads, -1).transpose(1, 2)  # (N, heads, L, D / heads)
        for part in mixed.chunk(3, dim=-1)
    )
    heads, _ = attention(query, key, value, allowed)
    return layer.out_proj(heads.transpose(1, 2).reshape(batch, length, size))


torch.manual_seed(0)
q, k, v = torch.randn(2, 5, 16), torch.randn(2, 7, 16), torch.randn(2, 7, 16)
assert torch.allclose(attention(q, k, v)[0], F.scaled_dot_product_attention(q, k, v), atol=1e-6)
layer = nn.MultiheadAttention(16, 4, batch_first=True)
x = torch.randn(2, 6, 16)
causal = torch.ones(6, 6, dtype=torch.bool).tril()
with torch.no_grad():
    theirs, _ = layer(x, x, x, attn_mask=~causal)
    assert torch.allclose(multi_head(x, layer, causal), theirs, atol=1e-6)
print("attention equals PyTorch's, with one head and with four, with and without a mask")

# %% [markdown]
# ## Why divide by $\sqrt{d}$?
#
# The product of two random vectors with $d$ numbers has a spread of $\sqrt{d}$. Softmax of large numbers is nearly "one
# takes all", and its gradient nearly 0, so that nothing would be learnt at the start.

# %%
query, keys = torch.randn(1000, 256), torch.randn(20, 256)
largest = {scale: (query @ keys.T / scale).softmax(dim=1).max(dim=1).values.mean().item() for scale in (1.0, 16.0)}
print(f"largest of 20 weights: {largest[1.0]:.2f} without the division, {largest[16.0]:.2f} with it")
assert largest[1.0] > 0.9
assert largest[16.0] < 0.4

# %% [markdown]
# ## Masks, and the order of words
#
# A language model must not see what it is to predict. The **causal** mask allows each place itself and what lies before
# it. We test it as one tests such a thing: change the future, and nothing before may move.

# %%
changed = x.clone()
changed[:, 4:] += 1.0
with torch.no_grad():
    difference = (multi_head(changed, layer, causal) - multi_head(x, layer, causal)).abs().amax(dim=(0, 2))
assert difference[:4].max() == 0
assert difference[4:].min() > 0
print("changing places 4 and 5 moves nothing at places 0 to 3")

# %% [markdown]
# Without a mask attention does not know any order at all: shuffle the words, and the answers are shuffled likewise.
# That is why Transformers add the position to each word.

# %%
shuffled = torch.randperm(6)
with torch.no_grad():
    assert torch.allclose(multi_head(x[:, shuffled], layer), multi_head(x, layer)[:, shuffled], atol=1e-6)

# %% [markdown]
# ## It learns to look up
#
# Each sample is a little table: six pairs of a letter and a digit, such as `d7 a2 f0 c4 h2 b9`, and a question, `c`.
# The answer is 4. The pairs are new in every sample, so that nothing can be learnt by heart. Beside attention stands a
# net that sees the sum of all pairs: the bag of words.

# %%
LETTERS, DIGITS, PAIRS = 12, 10, 6


def draw(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Letters and digits of the pairs, (N, 6) each, the letter that is asked for, and the right answer."""
    letters = torch.rand(count, LETTERS).argsort(dim=1)[:, :PAIRS]
    numbers = torch.randint(DIGITS, (count, PAIRS))
    asked = torch.randint(PAIRS, (count,))
    rows = torch.arange(count)
    return letters, numbers, letters[rows, asked], numbers[rows, asked]


class Lookup(nn.Module):
    """Attention from the question to the pairs, or, without it, the mean of all pairs."""

    def __init__(self, *, attends: bool, size: int = 32) -> None:
        super().__init__()
        self.letter, self.digit, self.question = (nn.Embedding(n, size) for n in (LETTERS, DIGITS, LETTERS))
        self.key, self.value = nn.Linear(size, size), nn.Linear(size, size)
        self.head = nn.Sequential(nn.Linear(2 * size, 64), nn.ReLU(), nn.Linear(64, DIGITS))
        self.attends = attends

    def forward(self, letters: Tensor, numbers: Tensor, question: Tensor) -> tuple[Tensor, Tensor]:
        pairs = self.letter(letters) + self.digit(numbers)  # (N, 6, 32)
        asked = self.question(question)
        found, weights = attention(asked[:, None] * float(self.attends), self.key(pairs), self.value(pairs))
        return self.head(torch.cat([found[:, 0], asked], dim=1)), weights[:, 0]


accuracies, nets = {}, {}
for name, attends in (("bag of pairs", False), ("attention", True)):
    torch.manual_seed(1)
    net = Lookup(attends=attends)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(500):
        letters, numbers, question, answer = draw(128)
        loss = F.cross_entropy(net(letters, numbers, question)[0], answer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.manual_seed(2)
    letters, numbers, question, answer = draw(2000)
    with torch.no_grad():
        scores, weights = net(letters, numbers, question)
    accuracies[name] = (scores.argmax(dim=1) == answer).float().mean().item()
    print(f"{name:<13} {accuracies[name]:.1%} right (guessing: 10 %)")
assert accuracies["attention"] > 0.9
assert accuracies["bag of pairs"] < 0.5

# %% [markdown]
# The bag knows which digits occur, and not which letter each belongs to. Attention looks at one pair and reads it off.
# And we can see where it looks:
#
# ## The figure
#
# Left: the weights for sixteen questions; a circle marks the pair that was asked for. Right: a causal mask, and what a
# causal layer makes of it.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), width_ratios=[1.2, 1])
left.imshow(weights[:16].numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
for row in range(16):
    for column in range(PAIRS):
        letter, number = "abcdefghijkl"[letters[row, column]], numbers[row, column].item()
        shade = "white" if weights[row, column] > 0.5 else "black"
        left.text(column, row, f"{letter}{number}", ha="center", va="center", color=shade)
        if letters[row, column] == question[row]:
            left.plot(column, row, "o", markersize=22, markerfacecolor="none", markeredgecolor="tab:red")
left.set_yticks(range(16), [f"{'abcdefghijkl'[letter]}?" for letter in question[:16]])
left.set(xticks=[], title=f"where attention looks ({accuracies['attention']:.0%} right)")
with torch.no_grad():
    _, pattern = attention(torch.randn(12, 16), torch.randn(12, 16), torch.randn(12, 16), torch.ones(12, 12).tril() > 0)
right.imshow(pattern.numpy(), cmap="Blues", vmin=0)
right.set(title="weights under a causal mask", xlabel="looked at", ylabel="place")
save_figure(figure, "attention")

# %% [markdown]
# ## What goes wrong
#
# **A mask the wrong way round.** In `scaled_dot_product_attention` True means *may be seen*. In `MultiheadAttention`
# True means *is blocked*. Mixing them up raises nothing: the model sees the future only.
#
# ```python
# import torch
# from torch import nn
# from torch.nn import functional as F
#
# x = torch.randn(1, 4, 8)
# may_see = torch.ones(4, 4, dtype=torch.bool).tril()
# layer = nn.MultiheadAttention(8, 1, batch_first=True)
# _, weights = layer(x, x, x, attn_mask=may_see)
# print(weights[0, 1] > 0)
# ```
# ```text
# tensor([False, False,  True,  True])
# ```
#
# ```python
# _, weights = layer(x, x, x, attn_mask=~may_see)
# assert (weights[0, 1] > 0).tolist() == [True, True, False, False]
# ```
#
# **Nothing may be seen.** A row that is blocked altogether, such as an empty sentence, divides 0 by 0. The last row
# above, with the wrong mask, was one:
#
# ```python
# _, weights = layer(x, x, x, attn_mask=may_see)
# print(weights[0, 3])
# ```
# ```text
# tensor([nan, nan, nan, nan]…)
# ```
#
# ```python
# assert layer(x, x, x, attn_mask=~may_see)[0].isfinite().all()
# ```
#
# **Heads that do not divide the width.**
#
# ```python
# nn.MultiheadAttention(embed_dim=30, num_heads=4)
# ```
# ```text
# AssertionError: embed_dim must be divisible by num_heads
# ```
#
# ```python
# nn.MultiheadAttention(embed_dim=32, num_heads=4)
# ```
#
# ## Exercises
#
# In `lessons/answers/attention.py`; check them with `make check-lesson NAME=attention`.
#
# 1. `masked_attention`: with a mask for padding.
# 2. `split_heads`: from one wide vector to several narrow ones, and the right way round.
# 3. `positions`: sines and cosines that tell places apart.
#
# ## Where this lives
#
# - [`seq-models/models/attention.py`](../../packages/seq-models/src/torchworks/seq_models/models/attention.py): the
#   twenty lines in the form that all Transformers here use.
# - [`seq-models/models/gpt.py`](../../packages/seq-models/src/torchworks/seq_models/models/gpt.py): a language model of
#   them, the package's default.
# - [`cnn-vision/models/vit.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/vit.py): patches of an image
#   in place of words.
