# %% [markdown]
# # 30. A language model
#
# A Transformer of two blocks learns to continue text, letter by letter; we write it with rotary positions, make it
# quick by a cache, draw from it in four ways, and put it beside a method from 1991 that is hard to beat.
#
# A **language model** gives each possible next letter a probability. That is all. Text comes out of it by drawing a
# letter, appending it, and asking again. ChatGPT does the same with parts of words, and with a billion times as much
# arithmetic.

# %%
import math
import time
from collections import Counter, defaultdict
from itertools import pairwise
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure
from torchworks.seq_models.data.bundled_text import without_repetitions
from torchworks.seq_models.language.ngram import WittenBell
from torchworks.seq_models.models.attention import rotary as package_rotary
from torchworks.shared.text import sampling

documents = list(without_repetitions(dict(sorted(topics.items()))).values())  # what Python's help() shows
text = "\n\n".join(documents)
letters = sorted(set(text))
number = {letter: i for i, letter in enumerate(letters)}
tokens = torch.tensor([number[letter] for letter in text])
cut = len(tokens) * 19 // 20
train, test = tokens[:cut], tokens[cut:]
VOCABULARY = len(letters)
print(
    f"Python's documentation: {len(train):,} letters to learn from, {len(test):,} to test; {VOCABULARY} different ones"
)

# %% [markdown]
# The test part is the **end** of the text, other documents than those learnt. Letters drawn at random for testing
# would sit in the middle of sentences that were learnt. Repeated paragraphs have been taken out for the same reason:
# a fifth of this text occurs twice.
#
# ## Rotary positions
#
# Attention knows no order (lesson 12). Here a query or key at place $t$ is **rotated**: its numbers are taken in pairs,
# and each pair is turned by $t$ times an angle of its own, fast for the first pair, slowly for the last. The product of
# a rotated query and a rotated key depends on the **distance** of the two places only: turn both by the same angle, and
# nothing changes between them (Su et al. 2021).


# %%
def rotate(x: Tensor, first: int = 0) -> Tensor:
    """Rotate (…, T, d), of which the first is at the place `first` of the text."""
    length, channels = x.shape[-2:]
    speeds = 10_000.0 ** (-torch.arange(0, channels, 2) / channels)
    angles = torch.arange(first, first + length)[:, None] * speeds  # (T, d / 2)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack(
        [even * angles.cos() - odd * angles.sin(), odd * angles.cos() + even * angles.sin()], -1
    ).flatten(-2)


torch.manual_seed(0)
query, key = torch.randn(1, 1, 1, 16), torch.randn(1, 1, 1, 16)
near, far = ((rotate(query, t + 3) * rotate(key, t)).sum() for t in (0, 100))
assert torch.allclose(near, far, atol=1e-4)
x = torch.randn(2, 4, 9, 16)
assert torch.allclose(rotate(x), package_rotary(x, torch.arange(9)[None].expand(2, 9)), atol=1e-5)
print(f"query and key three places apart: {near:.4f} at the beginning, {far:.4f} at place 100")

# %% [markdown]
# ## The model
#
# A block adds two things to what it gets: attention to all earlier letters, and two layers for each letter by itself.
# Both read a normalized copy. That is GPT-2, with rotary positions.
#
# `cache` is for later: keys and values of earlier letters. If there is one, the new letters' keys and values are
# appended to it, and their places begin behind it.


# %%
class Block(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.mixed, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

    def forward(self, x: Tensor, cache: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        q, k, v = (
            self.mixed(self.norm_1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )  # (B, heads, T, d)
        before = 0 if cache is None else cache[0].shape[2]
        q, k = rotate(q, before), rotate(k, before)
        if cache is not None:
            k, v = torch.cat([cache[0], k], dim=2), torch.cat([cache[1], v], dim=2)
        allowed = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(before)  # earlier letters, and itself
        found = F.scaled_dot_product_attention(q, k, v, allowed)
        x = x + self.out(found.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm_2(x)), (k, v)


class Model(nn.Module):
    """Letters (B, T) → logits (B, T, V) of the letter after each, and the caches."""

    def __init__(self, size: int = 64, depth: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.letters = nn.Embedding(VOCABULARY, size)
        self.blocks = nn.ModuleList(Block(size, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(size), nn.Linear(size, VOCABULARY)

    def forward(self, tokens: Tensor, caches: list | None = None) -> tuple[Tensor, list]:
        x, kept = self.letters(tokens), []
        for block, cache in zip(self.blocks, caches or [None] * len(self.blocks), strict=True):
            x, new = block(x, cache)
            kept.append(new)
        return self.head(self.norm(x)), kept


# %% [markdown]
# ## Training, with a head start
#
# A window of 48 letters is 48 lessons at once: after each letter, which one comes next? The causal mask keeps the
# answer out of sight.
#
# A new net attends to all places alike, and most of a short training goes by until a head has found "the letter
# before". Rotary positions let us say it: give all keys the same bias, and the queries of head $h$ that bias turned
# back by $h$ places, for $h = 1, 2, 3, 4$. Their product is largest $h$ places before. The rest is learnt, and so may
# this be unlearnt.

# %%
WINDOW, STEPS = 48, 200


def train_model(*, head_start: bool, steps: int) -> tuple[Model, list[tuple[int, float]]]:
    """A trained model, and the bits of a part of the test part after each 20 steps."""
    torch.manual_seed(0)
    model, curve = Model(), []
    if head_start:
        with torch.no_grad():
            for block in model.blocks:
                queries, keys, _ = block.mixed.bias.view(3, 4, 16)
                keys.fill_(3.0)
                for head in range(4):
                    queries[head] = rotate(keys[head][None], -head - 1)[0]
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=STEPS, pct_start=0.1)
    for step in range(1, steps + 1):
        starts = torch.randint(len(train) - WINDOW - 1, (16,))
        windows = train[starts[:, None] + torch.arange(WINDOW + 1)]
        loss = F.cross_entropy(model(windows[:, :-1])[0].transpose(1, 2), windows[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            curve.append((step, nats_of(model, test, WINDOW, every=8).mean().item() / math.log(2)))
    return model, curve


def nats_of(model: Model, text: Tensor, length: int, every: int = 1) -> Tensor:
    """-log p of letters of a text, (N, length), in windows that overlap by half, or in some of these."""
    starts = torch.arange(0, len(text) - length - 1, length // 2)[::every]
    windows = text[starts[:, None] + torch.arange(length + 1)]
    with torch.no_grad():
        logits = model(windows[:, :-1])[0]
    return F.cross_entropy(logits.transpose(1, 2), windows[:, 1:], reduction="none")


_, plain_curve = train_model(head_start=False, steps=60)
model, curve = train_model(head_start=True, steps=STEPS)
print(f"after 60 steps: {plain_curve[-1][1]:.2f} bits a letter without the head start, {curve[2][1]:.2f} with it")
assert curve[2][1] < plain_curve[-1][1] - 0.1

# %% [markdown]
# ## Bits and perplexity
#
# The loss is the mean of $-\log p$ over letters, in nats. Divided by $\log 2$ it is **bits a letter**: what a
# compressor would need that uses this model. $e$ to the loss is the **perplexity**: as unsure as if so many letters
# were equally likely. Guessing has a perplexity of the number of letters. Compare perplexities only of models with the
# same tokens: per word it is another number than per letter.
#
# We score the second half of each window, so that every letter is counted once, after 24 others at least.
#
# ## The rival of 1991
#
# Count. After `classe`, how often came `s`, how often something else? If `classe` is rare, ask what came after
# `lasse`, and so on. Witten and Bell's rule mixes the two: after a history $h$ that occurred $c$ times, before $t$
# **different** letters,
#
# $$p(w | h) = \frac{c(h w) + t\, p(w | h')}{c + t},$$
#
# where $h'$ is $h$ without its first letter.


# %%
class Counts:
    """Witten and Bell's model of up to `order` letters, the last of which is predicted."""

    def __init__(self, text: list[int], order: int) -> None:
        self.order, self.after = order, defaultdict(Counter)
        for length in range(order):
            for i in range(length, len(text)):
                self.after[tuple(text[i - length : i])][text[i]] += 1

    def probability(self, history: list[int], letter: int) -> float:
        p = 1 / VOCABULARY
        for length in range(min(self.order, len(history) + 1)):
            seen = self.after.get(tuple(history[len(history) - length :]))
            if seen is None:
                break
            p = (seen[letter] + len(seen) * p) / (seen.total() + len(seen))
        return p


some, line = train[:15_000].tolist(), test[:300].tolist()
counts, reference = Counts(some, 5), WittenBell(np.array(some), VOCABULARY, 5)
by_hand = [counts.probability(line[:i], line[i]) for i in range(len(line))]
assert np.allclose(by_hand, reference.probabilities(np.array(line))[-1])

ngram = WittenBell(train.numpy(), VOCABULARY, 5).probabilities(test.numpy())  # (5, T): of orders 1 to 5
bits = {f"{order}-gram": float(-np.log2(ngram[order - 1][1:]).mean()) for order in (1, 2, 3, 5)}
bits["Transformer"] = nats_of(model, test, WINDOW)[:, WINDOW // 2 :].mean().item() / math.log(2)
for name, each in bits.items():
    print(f"{name:<12} {each:.2f} bits a letter, perplexity {2**each:.1f}")
assert bits["5-gram"] < bits["Transformer"] < bits["2-gram"]

# %% [markdown]
# The counts win, clearly. They have read the whole training part; the Transformer has seen less than half of it.
# The package's recipe `lm` trains fifty times as long on this text, and then it is the other way round: 1.64 bits
# against 1.88 (the parts are cut otherwise there). A baseline tells you in which of the two situations you are.
#
# ## A cache for keys and values
#
# To write letter 100, must the model read all 99 before it again? Keys and values of earlier letters cannot change, as
# the mask lets them look back only. So keep them, and read the new letter alone.

# %%
model.eval()


def letter_by_letter(text: Tensor, *, cached: bool) -> tuple[Tensor, int]:
    """The logits (T, V) after each letter of a text (T,), and how many letters the model had to read for it."""
    found, caches, read = [], None, 0
    with torch.no_grad():
        for i in range(len(text)):
            part = text[None, i : i + 1] if cached else text[None, : i + 1]
            logits, caches = model(part, caches if cached else None)
            found.append(logits[0, -1])
            read += part.shape[1]
    return torch.stack(found), read


sentence = test[:200]
begun = time.process_time()
slow, slow_read = letter_by_letter(sentence, cached=False)
middle = time.process_time()
quick, quick_read = letter_by_letter(sentence, cached=True)
times = middle - begun, time.process_time() - middle
assert torch.allclose(slow, quick, atol=1e-3)
assert (slow_read, quick_read) == (200 * 201 // 2, 200)
print(f"200 letters: {slow_read:,} read ({times[0]:.2f} s), {quick_read} with the cache ({times[1]:.2f} s)")
print(f"the largest difference of their logits: {(slow - quick).abs().max():.0e}")

# %% [markdown]
# The cache is what fills the memory of a service: two numbers for each layer, channel and letter of each text.
#
# ## Drawing
#
# - **Greedy**: always the likeliest. It soon repeats itself.
# - **Temperature**: divide the logits by $T$. Below 1 the likely get likelier; towards 0 it becomes greedy.
# - **Top-k**: only the $k$ likeliest.
# - **Top-p**: the fewest, likeliest first, that have the probability $p$ together: few where the model is sure, many
#   where it is not (Holtzman et al. 2020).


# %%
def top_k(logits: Tensor, k: int) -> Tensor:
    smallest = logits.topk(min(k, logits.shape[-1])).values[..., -1:]
    return logits.masked_fill(logits < smallest, -math.inf)


def top_p(logits: Tensor, p: float) -> Tensor:
    ranked, order = logits.softmax(-1).sort(descending=True)
    before = ranked.cumsum(-1) - ranked  # of all that are likelier
    drop = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before >= p)
    return logits.masked_fill(drop, -math.inf)


many = slow[:50].double()
assert np.array_equal(top_k(many, 5).numpy(), sampling.top_k(many.numpy(), 5))
assert np.array_equal(top_p(many, 0.8).numpy(), sampling.top_p(many.numpy(), 0.8))
kept = top_p(many, 0.8).isfinite().sum(1)
print(f"top-p 0.8 keeps from {kept.min()} to {kept.max()} letters")


def write(prompt: str, length: int, temperature: float = 1.0, k: int = VOCABULARY, p: float = 1.0) -> str:
    drawn, generator = [number[letter] for letter in prompt], torch.Generator().manual_seed(1)
    with torch.no_grad():
        logits, caches = model(torch.tensor([drawn]))
        for _ in range(length):
            last = logits[0, -1]
            if temperature == 0:
                drawn.append(int(last.argmax()))
            else:
                chance = top_p(top_k(last / temperature, k), p).softmax(0)
                drawn.append(int(torch.multinomial(chance, 1, generator=generator)))
            logits, caches = model(torch.tensor([drawn[-1:]]), caches)
    return "".join(letters[i] for i in drawn).replace("\n", " ")


PROMPT = "The class"
print(f"greedy:           {write(PROMPT, 90, temperature=0)}")
print(f"temperature 1:    {write(PROMPT, 90)}")
print(f"temperature 0.5:  {write(PROMPT, 90, temperature=0.5)}")
print(f"top-k 5:          {write(PROMPT, 90, k=5)}")
print(f"top-p 0.8:        {write(PROMPT, 90, p=0.8)}")

# %% [markdown]
# ## The figure
#
# Left: what more steps bring, beside counting. Middle: how well a letter is predicted by how many were read before it.
# After four or so, more context brings nothing: trained so briefly, the model is hardly more than a 3-gram. Beyond the
# 48 letters of a training window come distances that it has never seen: no error, no gain, and slowly a loss. Right:
# the next letter after `The class`, at three temperatures.

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.2))
left.plot(*zip(*curve, strict=True), "o-", label="Transformer")
left.plot(*zip(*plain_curve, strict=True), "o--", color="tab:blue", alpha=0.5, label="without the head start")
for name, color in (("2-gram", "tab:green"), ("3-gram", "tab:olive"), ("5-gram", "tab:red")):
    left.axhline(bits[name], color=color, linestyle=":", label=name)
left.set(xlabel="step", ylabel="bits a letter, test part", title="learning, and counting", ylim=(1.6, 4.9))
left.legend()
ends = np.array([0, 1, 2, 3, 4, 8, *range(16, 2 * WINDOW + 1, 8)])
by_place = nats_of(model, test, 2 * WINDOW, every=2).mean(0) / math.log(2)
grouped = [by_place[a:b].mean() for a, b in pairwise(ends)]
assert by_place[0] > by_place[3:WINDOW].mean() + 0.5
assert by_place[WINDOW:].mean() > by_place[3:WINDOW].mean() - 0.05
middle.plot((ends[1:] + ends[:-1] + 1) / 2, grouped, "o-", markersize=4)
middle.axvline(WINDOW, color="tab:red", linestyle=":", label="end of a training window")
middle.set(xlabel="letters read", ylabel="bits of the next letter", title="how much context helps")
middle.legend()
with torch.no_grad():
    last = model(torch.tensor([[number[letter] for letter in PROMPT]]))[0][0, -1]
likeliest = last.topk(8).indices
for i, temperature in enumerate((0.5, 1.0, 2.0)):
    chance = (last / temperature).softmax(0)[likeliest]
    right.bar(np.arange(8) + 0.27 * (i - 1), chance.numpy(), 0.27, label=f"temperature {temperature}")
right.set_xticks(range(8), [repr(letters[i])[1:-1] if letters[i] != " " else "space" for i in likeliest])
right.set(xlabel="next letter", ylabel="probability", title=f"after “{PROMPT}”")
right.legend()
figure.tight_layout()
save_figure(figure, "generation")

# %% [markdown]
# ## What goes wrong
#
# **Temperature 0.** Programs call greedy drawing so; dividing by it does not work:
#
# ```python
# import torch
#
# logits = torch.tensor([2.0, 1.0, -1.0])
# torch.multinomial((logits / 0).softmax(0), 1)
# ```
# ```text
# RuntimeError: probability tensor contains either `inf`, `nan` or element < 0
# ```
#
# ```python
# def choose(logits, temperature):
#     return int(logits.argmax() if temperature == 0 else torch.multinomial((logits / temperature).softmax(0), 1))
#
# assert choose(logits, 0) == 0
# ```
#
# **The text outgrows its positions.** A table of learnt positions has an end:
#
# ```python
# positions = torch.nn.Embedding(48, 16)
# positions(torch.arange(49))
# ```
# ```text
# IndexError: index out of range in self
# ```
#
# Read the last 48 letters only. With rotary positions the same is wise, although nothing forces you.
#
# ```python
# text = torch.arange(60)
# positions(torch.arange(len(text[-48:])))
# ```
#
# **The cache forgets where it is.** Each new letter is read alone, and so it is given the place 0. The text becomes
# nonsense, without any message:
#
# ```python
# table = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
# whole = table[torch.arange(3)]
# alone = torch.cat([table[torch.arange(1)] for _ in range(3)])
# print(torch.equal(whole, alone))
# ```
# ```text
# False
# ```
#
# ```python
# alone = torch.cat([table[torch.arange(read, read + 1)] for read in range(3)])  # begin behind what was read
# assert torch.equal(whole, alone)
# ```
#
# **The mean of perplexities.** Perplexity is $e$ to a mean. The mean of several batches' perplexities is another
# number, and a larger one:
#
# ```python
# nats = torch.tensor([[1.0, 1.0], [3.0, 3.0]])
# print(f"{nats.mean(1).exp().mean():.2f}")
# ```
# ```text
# 11.40
# ```
#
# ```python
# assert abs(nats.mean().exp() - 7.39) < 0.01
# ```
#
# ## Exercises
#
# In `lessons/answers/generation.py`; check them with `make check-lesson NAME=generation`.
#
# 1. `top_p`: keep the fewest letters that are probable enough together.
# 2. `perplexity`: of batches of different sizes.
# 3. `attend`: one step of attention with a cache.
#
# ## Where this lives
#
# - [`seq_models/models/gpt.py`](../../packages/seq-models/src/torchworks/seq_models/models/gpt.py): this model with the
#   names of GPT-2, whose weights it loads.
# - [`seq_models/language/ngram.py`](../../packages/seq-models/src/torchworks/seq_models/language/ngram.py): Witten and
#   Bell's model, by sorting in place of dictionaries.
# - [`shared/text/sampling.py`](../../shared/src/torchworks/shared/text/sampling.py): all ways of drawing; what is drawn
#   depends on the seed and the place only, not on who else is in the batch.
# - [`serving/generation/`](../../packages/serving/README.md): a service that writes many texts at once, with their
#   caches.
