"""Captions of images by a recurrent net that looks at one place for each word.

**Show, attend and tell** (Xu et al. 2015, arXiv:1502.03044), with soft attention. An image becomes P places a_i, a
grid of features. The state h_t of an LSTM chooses where to look for the next word, by scores f(a_i, h_t) of an additive
attention (equations 4 to 6), and the word follows from the state and from what is seen there, z_t = Σ α_ti a_i. What
was seen is also fed back into the LSTM (equation 1).

`ShowTell` is the same without attention, as Vinyals et al. 2015 (arXiv:1411.4555): the image is seen once, before the
first word. It shows what attention is for.

Shape letters: see `captioner.py`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.captioner import (
    Attention,
    Captioner,
    Memory,
    State,
    as_places,
    centered,
    first_state,
    pooled,
    trunk,
)


class ShowAttendTell(Captioner):
    """The paper's model, with a convolutional net trained from scratch. The gate β of section 4.2.1 scales z."""

    def __init__(
        self,
        *,
        channels: int,
        places: int,
        vocabulary: int,
        begin: int,
        end: int,
        embed_dim: int = 96,
        hidden_dim: int = 256,
        attention_dim: int = 128,
        width: int = 96,
        drop_rate: float = 0.1,
        color_words: Sequence[int] = (),
    ):
        super().__init__(
            vocabulary=vocabulary, places=places, begin=begin, end=end, hidden_dim=hidden_dim, embed_dim=embed_dim
        )
        self.trunk = trunk(channels, width)
        self.position = nn.Parameter(torch.randn(places, width) * 0.1)
        self.attention = Attention(width, hidden_dim, attention_dim)
        self.first = nn.Linear(width, 2 * hidden_dim)
        self.gate = nn.Linear(hidden_dim, width)
        self.cell = nn.LSTMCell(embed_dim + width, hidden_dim)
        self.output = _words(hidden_dim + width, hidden_dim, vocabulary, drop_rate)

    def look(self, image: Tensor, grey: Tensor | None = None) -> Memory:
        seen = as_places(self.trunk(centered(image))) + self.position  # (N, P, D)
        return seen, self.attention.keys(seen)

    def start(self, memory: Memory) -> State:
        seen = memory[0].mean(1)
        return *first_state(self.first(seen), self.hidden_dim), seen

    def step(self, memory: Memory, state: State, token: Tensor) -> tuple[Tensor, State, Tensor]:
        seen, keys = memory
        h, c, z = state
        h, c = self.cell(torch.cat([self.embedding(token), z], 1), (h, c))
        where = self.attention(keys, h)
        z = self.gate(h).sigmoid() * pooled(where, seen)
        return self.output(torch.cat([h, z], 1)), (h, c, z), where


class ShowTell(Captioner):
    """Without attention: an image is one vector, the mean over its places, from which the LSTM starts."""

    def __init__(
        self,
        *,
        channels: int,
        places: int,
        vocabulary: int,
        begin: int,
        end: int,
        embed_dim: int = 96,
        hidden_dim: int = 256,
        attention_dim: int = 0,
        width: int = 96,
        drop_rate: float = 0.1,
        color_words: Sequence[int] = (),
    ):
        super().__init__(
            vocabulary=vocabulary, places=places, begin=begin, end=end, hidden_dim=hidden_dim, embed_dim=embed_dim
        )
        self.trunk = trunk(channels, width)
        self.position = nn.Parameter(torch.randn(places, width) * 0.1)
        self.mix = nn.Sequential(nn.Linear(width, hidden_dim), nn.ReLU())
        self.first = nn.Linear(hidden_dim, 2 * hidden_dim)
        self.cell = nn.LSTMCell(embed_dim, hidden_dim)
        self.output = _words(hidden_dim, hidden_dim, vocabulary, drop_rate)

    def look(self, image: Tensor, grey: Tensor | None = None) -> Memory:
        return (self.mix(as_places(self.trunk(centered(image))) + self.position).mean(1),)

    def start(self, memory: Memory) -> State:
        return first_state(self.first(memory[0]), self.hidden_dim)

    def step(self, memory: Memory, state: State, token: Tensor) -> tuple[Tensor, State, Tensor]:
        h, c = self.cell(self.embedding(token), (state[0], state[1]))
        everywhere = h.new_full((h.shape[0], self.places), 1 / self.places)
        return self.output(h), (h, c), everywhere


def _words(width: int, hidden_dim: int, vocabulary: int, drop_rate: float) -> nn.Sequential:
    """The deep output layer (equation 7)."""
    first = nn.Linear(width, hidden_dim)
    return nn.Sequential(first, nn.ReLU(), nn.Dropout(drop_rate), nn.Linear(hidden_dim, vocabulary))
