"""A convolutional net for texts.

Kim 2014, "Convolutional Neural Networks for Sentence Classification" (arXiv:1408.5882), the variant CNN-rand.

The idea: a filter w looks at h neighbouring words, whose embeddings x are put together, and answers by how much they
are what it looks for, wherever they stand (equations 2 and 4):

    c_i = ReLU(w · x_{i:i+h-1} + b)        ĉ = max_i c_i

The maxima of all filters, of several widths h, go through dropout to the classes. What order words have matters within
h words only.

What differs from the paper: a window begins at every word, and what lies beyond the end is 0. So filters can see where
a text ends, and a text may be shorter than a filter. There is no limit on the norm of the last layer's weights.

Padding, of token 0, changes nothing: its embedding counts as 0, and no window begins there.

Shape letters: N texts, T tokens, E size of the embedding, F filters of each width, K classes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PADDING = 0


class TextCNN(nn.Module):
    """Tokens, int64 (N, T) in [0, `vocabulary`), padded with 0 at their end → logits (N, K), K = `num_classes`."""

    def __init__(
        self,
        vocabulary: int,
        num_classes: int,
        *,
        embed_dim: int = 32,
        filters: int = 32,
        widths: Sequence[int] = (1, 2, 3),
        drop_rate: float = 0.5,
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embed_dim)
        self.convs = nn.ModuleList(nn.Conv1d(embed_dim, filters, width) for width in widths)
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(filters * len(widths), num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        real = (tokens != PADDING)[:, None]  # (N, 1, T)
        x = self.embedding(tokens).transpose(1, 2) * real  # (N, E, T)
        largest = [self._largest(conv, x, real) for conv in self.convs]
        return self.classifier(self.dropout(torch.cat(largest, 1)))

    def _largest(self, conv: nn.Module, x: Tensor, real: Tensor) -> Tensor:
        """The largest answer of each filter, (N, F)."""
        assert isinstance(conv, nn.Conv1d)
        answers = conv(F.pad(x, (0, conv.kernel_size[0] - 1))).relu()  # (N, F, T)
        return (answers * real).amax(2)  # none is below 0
