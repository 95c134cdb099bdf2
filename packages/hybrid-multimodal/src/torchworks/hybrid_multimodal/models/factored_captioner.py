"""Captions of things that were never seen together: show, attend and tell, with colors, shapes and language apart.

Shape letters: see `captioner.py`.
"""

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.captioner import (
    Attention,
    Captioner,
    Memory,
    State,
    as_places,
    centered,
    conv,
    first_state,
    pooled,
    trunk,
)

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""

STREAMS = ("color", "shape", "language")
"""What a word of `FactoredCaptioner` can be read from."""
SHARPNESS = 10
"""Makes the weights of streams learn so many times faster than their parameters would."""

COLOR_WIDTH = 32


class FactoredCaptioner(Captioner):
    """Show, attend and tell for pairs that training never shows, such as a red zero where zeros were never red.

    A net that is trained on the paper's model has no reason to tell a color from a shape, and good reason not to: where
    zeros are never red, something red is no zero. Here every path by which a net could learn that is closed:

    - **Two streams.** Colors are read by a shallow net whose features see 11 × 11 pixels, too few for a shape. Shapes
      are read by a deep net that gets a grey image of the same mean and contrast whatever the color; in training red,
      green and blue have random shares in that grey (`grey`), so that no color is brighter than others.
    - **One place for a word.** Both are read where the attention points, which follows from shapes and places alone.
    - **Language that sees nothing.** The LSTM starts from one number a place, and is told where it looked, Σ α_i
      position_i, but not what it saw there. Of the words before it is told all.
    - **Sorted words.** Each word v belongs to one of the three, by weights m_v = exp(s_v - max s_v) of which the
      largest is 1:

          logit_v = m_v,color (κ_color(h) + (W_color z_color)_v) + m_v,shape (κ_shape(h) + (W_shape z_shape)_v)
                    + m_v,language (W_language h)_v

      so language says by κ that a color or a shape is next, but not which one. At first all weights are 1, a product of
      experts (Hinton 2002), which is learned quickly. Later (`sorting`) they are learned too, with a penalty on their
      sum, and when the net is used a word belongs to its largest weight alone.
    """

    luma: Tensor

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
        drop_rate: float = 0.0,
    ):
        super().__init__(
            vocabulary=vocabulary, places=places, begin=begin, end=end, hidden_dim=hidden_dim, embed_dim=embed_dim
        )
        shares = LUMA if channels == len(LUMA) else (1 / channels,) * channels
        self.register_buffer("luma", torch.tensor(shares), persistent=False)
        self.colors = color_stream(channels)
        self.shapes = trunk(1, width)
        self.position = nn.Parameter(torch.randn(places, width) * 0.1)
        self.attention = Attention(width, hidden_dim, attention_dim)
        self.salience = nn.Linear(width, 1)
        self.first = nn.Linear(places, 2 * hidden_dim)
        self.cell = nn.LSTMCell(embed_dim + width, hidden_dim)
        self.dropout = nn.Dropout(drop_rate)
        self.of_color = nn.Linear(COLOR_WIDTH, vocabulary)
        self.of_shape = nn.Linear(width, vocabulary)
        self.of_language = nn.Linear(hidden_dim, vocabulary)
        self.kind = nn.Linear(hidden_dim, 2)
        self.sorts = nn.Parameter(torch.zeros(vocabulary, len(STREAMS)))

    def weights(self) -> Tensor:
        """How much of each word's logit comes from each of `STREAMS`, (V, 3); in use, all from one of them."""
        below = self.sorts - self.sorts.amax(1, keepdim=True)
        if self.training:
            return (self.sorting * SHARPNESS * below).exp()
        return (below >= 0).to(below.dtype)

    def penalty(self) -> Tensor:
        return self.weights().sum(1).mean() - 1

    def sorted_words(self) -> list[str]:
        """The stream that each token belongs to; "" before that is learned."""
        largest = self.sorts >= self.sorts.amax(1, keepdim=True)
        numbers = torch.where(largest.sum(1) == 1, largest.int().argmax(1), -1)
        return [STREAMS[each] if each >= 0 else "" for each in numbers.tolist()]

    def look(self, image: Tensor, grey: Tensor | None = None) -> Memory:
        shares = self.luma if grey is None else grey
        shapes = as_places(self.shapes(evened(image, shares)))  # (N, P, D)
        colors = as_places(self.colors(centered(image)))
        return colors, shapes, self.attention.keys(shapes + self.position)

    def start(self, memory: Memory) -> State:
        shapes = memory[1]
        h, c = first_state(self.first(self.salience(shapes)[..., 0].sigmoid()), self.hidden_dim)
        return h, c, torch.zeros_like(shapes[:, 0])

    def step(self, memory: Memory, state: State, token: Tensor) -> tuple[Tensor, State, Tensor]:
        colors, shapes, keys = memory
        h, c, place = state
        h, c = self.cell(torch.cat([self.embedding(token), place], 1), (h, c))
        where = self.attention(keys, h)
        color, shape = self.dropout(pooled(where, colors)), self.dropout(pooled(where, shapes))
        kind = self.kind(h)
        of_color, of_shape = kind[:, :1] + self.of_color(color), kind[:, 1:] + self.of_shape(shape)
        by_color, by_shape, by_language = self.weights().unbind(1)
        logits = by_color * of_color + by_shape * of_shape + by_language * self.of_language(h)
        return logits, (h, c, where @ self.position), where


def color_stream(channels: int) -> nn.Sequential:
    """(N, C, S, S) to (N, 32, S / 8, S / 8), each of which sees 11 pixels across."""
    last = nn.Conv2d(32, COLOR_WIDTH, 2, 2)
    return nn.Sequential(conv(channels, 16, 3, 2), conv(16, 32, 3, 2), last)


def evened(image: Tensor, shares: Tensor) -> Tensor:
    """Grey images (N, 1, S, S) of mean 0 and standard deviation 1, with `shares` (N, C) or (C,) of the channels."""
    grey = (image * shares.view(-1, image.shape[1], 1, 1)).sum(1, keepdim=True)
    return (grey - grey.mean((2, 3), keepdim=True)) / (grey.std((2, 3), keepdim=True) + 1e-3)
