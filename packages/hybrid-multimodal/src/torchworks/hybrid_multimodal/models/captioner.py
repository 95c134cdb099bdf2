"""What nets that caption images have in common: their interface, convolutions and attention.

Shape letters: N images, C channels, S pixels along a side, P = (S / 8)² places, T tokens of a caption, V tokens of the
vocabulary, D features of a place, H size of the LSTM's state, A size of what states and places are compared by.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 8
"""Pixels along a place."""
Memory = tuple[Tensor, ...]
"""What is known of N images before the first word; each tensor has N rows."""
State = tuple[Tensor, ...]
"""What changes from word to word; each tensor has N rows."""


class Captioner(nn.Module, ABC):
    """Images (N, C, S, S) in [0, 1] and tokens (N, T) to logits (N, T, V) of the next token, and maps (N, T, P) of
    where the net looked for it, whose values add up to 1. The first token of a caption is `begin`."""

    def __init__(self, *, vocabulary: int, places: int, begin: int, end: int, hidden_dim: int, embed_dim: int):
        super().__init__()
        self.vocabulary, self.places, self.begin, self.end = vocabulary, places, begin, end
        self.hidden_dim = hidden_dim
        self.embedding = nn.Embedding(vocabulary, embed_dim)

    def forward(self, image: Tensor, tokens: Tensor, grey: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Teacher forcing: each token is given the right ones before it. `grey` (N, C) are shares of the channels in
        grey images, for nets that see one (`FactoredCaptioner`); luma without it."""
        memory = self.look(image, grey)
        state, steps = self.start(memory), []
        for token in tokens.unbind(1):
            logits, state, where = self.step(memory, state, token)
            steps.append((logits, where))
        logits, maps = zip(*steps, strict=True)
        return torch.stack(logits, 1), torch.stack(maps, 1)

    @abstractmethod
    def look(self, image: Tensor, grey: Tensor | None = None) -> Memory:
        """Once for an image."""

    @abstractmethod
    def start(self, memory: Memory) -> State:
        """Before the first word."""

    @abstractmethod
    def step(self, memory: Memory, state: State, token: Tensor) -> tuple[Tensor, State, Tensor]:
        """From tokens (N,) to logits (N, V) of the next ones, the state after them, and where was looked, (N, P)."""


class Attention(nn.Module):
    """Additive attention, scores v · tanh(W a_i + U h) (Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2)."""

    def __init__(self, width: int, hidden_dim: int, attention_dim: int):
        super().__init__()
        self.keys = nn.Linear(width, attention_dim)
        self.query = nn.Linear(hidden_dim, attention_dim)
        self.score = nn.Linear(attention_dim, 1, bias=False)

    def forward(self, keys: Tensor, h: Tensor) -> Tensor:
        """Keys (N, P, A) and states (N, H) to shares (N, P)."""
        return self.score(torch.tanh(keys + self.query(h)[:, None]))[..., 0].softmax(1)


# ------------------------------------------------------------------------------------------------- convolutions


def trunk(channels: int, width: int) -> nn.Sequential:
    """(N, C, S, S) to (N, width, S / 8, S / 8), each of which sees 49 pixels across."""
    return nn.Sequential(conv(channels, 32, 5, 2), conv(32, 64, 3, 2), conv(64, width, 3, 2), Residual(width))


class Residual(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, width: int):
        super().__init__()
        self.branch = nn.Sequential(
            conv(width, width, 3, 1), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.branch(x))


def conv(channels: int, width: int, kernel: int, stride: int) -> nn.Sequential:
    layer = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(width), nn.ReLU())


def as_places(features: Tensor) -> Tensor:
    """(N, D, S / 8, S / 8) to (N, P, D)."""
    return features.flatten(2).transpose(1, 2)


def pooled(where: Tensor, seen: Tensor) -> Tensor:
    """Σ α_i a_i: shares (N, P) and places (N, P, D) to (N, D)."""
    return (where[:, None] @ seen)[:, 0]


def centered(image: Tensor) -> Tensor:
    return (image - 0.3) * 3


def first_state(both: Tensor, hidden_dim: int) -> tuple[Tensor, Tensor]:
    h, c = both.split(hidden_dim, 1)
    return h.tanh(), c.tanh()
