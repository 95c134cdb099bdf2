"""Word vectors from how often words stand near each other: GloVe.

Pennington, Socher and Manning 2014, "GloVe: Global Vectors for Word Representation", equations 8 and 9.

The idea: what tells words apart is by how much more often they stand near a third word, a ratio of counts. So the
product of two vectors should be the logarithm of X_ij, which is how often word j stands near word i, each time counted
as 1 / (their distance). Frequent pairs count more, up to a limit; pairs that never occur do not count at all:

    L = Σ_ij f(X_ij) (w_i · w̃_j + b_i + b̃_j - log X_ij)²        f(x) = min(1, (x / x_max)^alpha)

What a word's vector is afterwards is w + w̃.

What differs from the paper: a step of AdaGrad is of a batch of pairs, not of one, so rates of learning differ too.

Shape letters: N pairs, V words of the vocabulary, D size of a vector.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GloVe(nn.Module):
    """Words, int64 (…), in [0, `vocabulary`) → their vectors, (…, D), the sums of the two that are trained."""

    def __init__(self, vocabulary: int, embed_dim: int = 100):
        super().__init__()
        self.word, self.context = (
            nn.Parameter((torch.rand(vocabulary, embed_dim) - 0.5) / embed_dim) for _ in range(2)
        )  # fmt: skip
        self.word_bias, self.context_bias = (nn.Parameter(torch.zeros(vocabulary)) for _ in range(2))

    def embeddings(self) -> Tensor:
        """The vectors of all words, (V, D)."""
        return self.word + self.context

    def forward(self, words: Tensor) -> Tensor:
        return F.embedding(words, self.embeddings())

    def loss(self, rows: Tensor, columns: Tensor, counts: Tensor, *, x_max: float, alpha: float) -> Tensor:
        """The mean over N pairs of words, `rows` and `columns` int64 (N,), which occur `counts` (N,) times."""
        w, c = F.embedding(rows, self.word), F.embedding(columns, self.context)  # (N, D)
        fitted = (w * c).sum(1) + self.word_bias[rows] + self.context_bias[columns]
        weight = (counts / x_max).clamp(max=1) ** alpha
        return (weight * (fitted - counts.log()) ** 2).mean()
