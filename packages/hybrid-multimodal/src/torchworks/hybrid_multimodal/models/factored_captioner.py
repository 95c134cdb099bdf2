"""Captions of things that were never seen together: show, attend and tell, with colors, shapes and language apart.

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
    conv,
    first_state,
    pooled,
    trunk,
)

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""

COLOR_WIDTH = 32


class FactoredCaptioner(Captioner):
    """Show, attend and tell for pairs that training never shows, such as a red zero where zeros were never red.

    A net that is trained on the paper's model has no reason to tell a color from a shape, and good reason not to: where
    zeros are never red, something red is no zero. Here a caption is factored instead, by closing each path on which a
    color could meet a shape. The net is told which tokens are words for colors, `color_words`.

    - **Two streams.** Colors are read by a shallow net whose features see 11 × 11 pixels, too few for a shape. Shapes
      are read by a deep net that gets a grey image of the same mean and contrast whatever the color; in training red,
      green and blue have random shares in that grey (`grey`), so that no color is brighter than others.
    - **One place for a word.** Both are read where the attention points, which follows from shapes and places alone.
    - **Language that sees nothing and hears no color.** The LSTM starts from one number a place, and is told where it
      looked, Σ α_i position_i, but not what it saw there. All words for colors have one embedding and one logit.
    - **A word from one stream.** With z of the streams and h of the LSTM, the logit of word v is
      (W_shape z_shape + W_language h)_v, or, for a color, (W_color z_color)_v + (W_language h)_color: language says
      that a color comes next, and the color stream alone says which.
    """

    is_color: Tensor
    heard: Tensor
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
        color_words: Sequence[int] = (),
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
        is_color, heard = torch.zeros(vocabulary, dtype=torch.bool), torch.arange(vocabulary)
        is_color[list(color_words)] = True
        heard[is_color] = min(color_words, default=0)
        self.register_buffer("is_color", is_color, persistent=False)
        self.register_buffer("heard", heard, persistent=False)  # what language hears instead of each token

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
        h, c = self.cell(torch.cat([self.embedding(self.heard[token]), place], 1), (h, c))
        where = self.attention(keys, h)
        color, shape = self.dropout(pooled(where, colors)), self.dropout(pooled(where, shapes))
        seen = torch.where(self.is_color, self.of_color(color), self.of_shape(shape))
        logits = seen + self.of_language(h)[:, self.heard]
        return logits, (h, c, where @ self.position), where


def color_stream(channels: int) -> nn.Sequential:
    """(N, C, S, S) to (N, 32, S / 8, S / 8), each of which sees 11 pixels across."""
    last = nn.Conv2d(32, COLOR_WIDTH, 2, 2)
    return nn.Sequential(conv(channels, 16, 3, 2), conv(16, 32, 3, 2), last)


def evened(image: Tensor, shares: Tensor) -> Tensor:
    """Grey images (N, 1, S, S) of mean 0 and standard deviation 1, with `shares` (N, C) or (C,) of the channels."""
    grey = (image * shares.view(-1, image.shape[1], 1, 1)).sum(1, keepdim=True)
    return (grey - grey.mean((2, 3), keepdim=True)) / (grey.std((2, 3), keepdim=True) + 1e-3)
