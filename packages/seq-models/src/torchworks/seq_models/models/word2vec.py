"""Word vectors from the words around them: skip-gram and CBOW with negative sampling.

Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality" (arXiv:1310.4546),
equation 4, and Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space" (arXiv:1301.3781).

The idea: a word is known by its neighbors. Each word has two vectors, v as the word that predicts and u as the word
that is predicted. A pair of words that stand near each other should have a large product, a pair of words drawn at
random a small one. For a word c with the neighbors O, and words n drawn in proportion to (how often they occur)^0.75:

    skip-gram    L = - Σ_{o in O} [ log σ(u_o · v_c) + k E_n log σ(-u_n · v_c) ]
    CBOW         h = mean of v_o over O,    L = - log σ(u_c · h) - k E_n log σ(-u_n · h)

What differs from the papers: the k negatives of every pair are not drawn anew. A batch shares K of them, each counted
k / K times, so that E_n is a mean over K words and its products are one matrix product. And the neighbors of all words
of a row are products of the row with itself, of which those within the window are kept:

    tokens      W: a row's L words, and a window of W words on each side, so that each has all its neighbors
    scores      S = V Uᵀ, (L, L + 2W); S[i, j] counts if word i has the neighbor j
    gradients   G = counts · (σ(S) - 1),  dV = G U,  dU = Gᵀ V

Each vector is then read once and changed once for a word of the text, not once for a pair. Gradients are written by
hand (`_SkipGram.backward`); tests compare them with those that PyTorch finds.

Shape letters: N rows, L words of a row, M = L + 2W, K negatives, V words of the vocabulary, D size of a vector.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PADDING = 0


class Word2Vec(nn.Module):
    """Words, int64 (…), in [0, `vocabulary`) → their vectors, (…, D). Word 0 is padding and has no neighbors.

    `input` (V, D) are the vectors v, those that are used; `output` (V, D) are the vectors u.
    """

    def __init__(self, vocabulary: int, embed_dim: int = 100):
        super().__init__()
        # as word2vec.c begins: small random v, and u of zeros
        self.input = nn.Parameter((torch.rand(vocabulary, embed_dim) - 0.5) / embed_dim)
        self.output = nn.Parameter(torch.zeros(vocabulary, embed_dim))

    def embeddings(self) -> Tensor:
        """The vectors of all words, (V, D)."""
        return self.input

    def forward(self, words: Tensor) -> Tensor:
        return F.embedding(words, self.input)

    def skip_gram(self, words: Tensor, reach: Tensor, negatives: Tensor, weight: float) -> Tensor:
        """The loss of all pairs in rows of words, a 0-d tensor.

        `words` are int64 (N, M); `reach`, int64 (N, L), how far the neighbors of each word may stand, at most
        W = (M - L) / 2; `negatives` int64 (K,), each counted `weight` times for a pair.
        """
        with torch.autocast(words.device.type, enabled=False):  # the backward pass has none either
            return _SkipGram.apply(self.input, self.output, words, neighbors(words, reach), negatives, weight)

    def cbow(self, words: Tensor, reach: Tensor, negatives: Tensor, weight: float) -> Tensor:
        """The same of CBOW, where a word and all its neighbors are one pair."""
        with torch.autocast(words.device.type, enabled=False):  # the backward pass has none either
            return _CBOW.apply(self.input, self.output, words, neighbors(words, reach), negatives, weight)


def centers(words: Tensor, length: int) -> Tensor:
    """The L words in the middle of rows (N, M), which have a window on each side: (N, L)."""
    window = (words.shape[1] - length) // 2
    return words[:, window : window + length]


def neighbors(words: Tensor, reach: Tensor) -> Tensor:
    """Whether word j of a row is a neighbor of its center i: bool (N, L, M), for `words` (N, M) and `reach` (N, L)."""
    length, whole = reach.shape[1], words.shape[1]
    place = torch.arange(whole, device=words.device)
    distance = (place - centers(place[None], length)[0][:, None]).abs()  # (L, M)
    near = (distance <= reach[..., None]) & (distance > 0)
    real = words != PADDING
    return near & real[:, None] & centers(real, length)[..., None]


class _SkipGram(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, vectors: Tensor, outputs: Tensor, words: Tensor, pairs: Tensor, negatives: Tensor, weight: float
    ) -> Tensor:
        middle = centers(words, pairs.shape[1])
        v, u, u_n = F.embedding(middle, vectors), F.embedding(words, outputs), F.embedding(negatives, outputs)
        near = pairs.to(v.dtype)  # (N, L, M)
        times = weight * near.sum(2, keepdim=True)  # (N, L, 1): a word draws negatives for each of its pairs
        scores, drawn = v @ u.mT, v @ u_n.T  # (N, L, M), (N, L, K)
        loss = (near * F.softplus(-scores)).sum() + (times * F.softplus(drawn)).sum()
        g, g_n = near * (scores.sigmoid_() - 1), times * drawn.sigmoid_()
        ctx.save_for_backward(v, u, u_n, g, g_n, middle, words, negatives)
        ctx.vocabulary = len(vectors)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        v, u, u_n, g, g_n, middle, words, negatives = ctx.saved_tensors
        scale = grads[0]
        d_v = (g @ u + g_n @ u_n) * scale  # (N, L, D)
        d_u, d_n = (g.mT @ v) * scale, (g_n.flatten(0, 1).T @ v.flatten(0, 1)) * scale  # (N, M, D), (K, D)
        d_vectors = summed(middle, d_v, ctx.vocabulary)
        d_outputs = summed(words, d_u, ctx.vocabulary).index_add_(0, negatives, d_n)
        return d_vectors, d_outputs, None, None, None, None


class _CBOW(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, vectors: Tensor, outputs: Tensor, words: Tensor, pairs: Tensor, negatives: Tensor, weight: float
    ) -> Tensor:
        middle = centers(words, pairs.shape[1])
        v, u, u_n = F.embedding(words, vectors), F.embedding(middle, outputs), F.embedding(negatives, outputs)
        near = pairs.to(v.dtype)
        count = near.sum(2, keepdim=True)
        share = near / count.clamp(min=1)  # (N, L, M): rows of a mean
        some = (count > 0).to(v.dtype)  # (N, L, 1): a word without neighbors is not predicted
        h = share @ v  # (N, L, D)
        scores, drawn = (h * u).sum(2, keepdim=True), h @ u_n.T  # (N, L, 1), (N, L, K)
        loss = (some * F.softplus(-scores)).sum() + weight * (some * F.softplus(drawn)).sum()
        g, g_n = some * (scores.sigmoid() - 1), weight * some * drawn.sigmoid_()
        ctx.save_for_backward(h, u, u_n, share, g, g_n, middle, words, negatives)
        ctx.vocabulary = len(vectors)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        h, u, u_n, share, g, g_n, middle, words, negatives = ctx.saved_tensors
        scale = grads[0]
        d_h = (g * u + g_n @ u_n) * scale  # (N, L, D)
        d_u, d_n = g * h * scale, (g_n.flatten(0, 1).T @ h.flatten(0, 1)) * scale
        d_vectors = summed(words, share.mT @ d_h, ctx.vocabulary)
        d_outputs = summed(middle, d_u, ctx.vocabulary).index_add_(0, negatives, d_n)
        return d_vectors, d_outputs, None, None, None, None


def summed(words: Tensor, gradients: Tensor, vocabulary: int) -> Tensor:
    """The gradient of each word, (V, D), from those of its places, (N, L, D)."""
    total = gradients.new_zeros(vocabulary, gradients.shape[-1])
    return total.index_add_(0, words.flatten(), gradients.flatten(0, 1))
