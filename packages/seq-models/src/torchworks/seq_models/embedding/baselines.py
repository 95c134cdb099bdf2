"""What word vectors are compared with: random ones, and a singular value decomposition of how words stand near each
other."""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch
from torch import Tensor

POWER = 0.75


def random_vectors(vocabulary: int, embed_dim: int, seed: int) -> Tensor:
    """(V, D)"""
    return torch.randn(vocabulary, embed_dim, generator=torch.Generator().manual_seed(seed))


def ppmi_svd(counts: scipy.sparse.csr_array, embed_dim: int, seed: int = 0) -> Tensor:
    """Vectors (V, D) from a matrix of how often words stand near each other, (V, V).

    Levy, Goldberg and Dagan 2015, "Improving Distributional Similarity with Lessons Learned from Word Embeddings": with
    p(c)^0.75 in place of p(c), the positive pointwise mutual information max(0, log p(w, c) / (p(w) p(c))) ≈ U Σ Vᵀ
    gives the vectors U Σ^½. A method without training, and a strong one on small texts.
    """
    entries = counts.tocoo()
    single, smooth = counts.sum(1), counts.sum(0) ** POWER
    information = np.log(entries.data / single[entries.row] * smooth.sum() / smooth[entries.col])
    positive = information > 0
    matrix = scipy.sparse.csr_array(
        (information[positive], (entries.row[positive], entries.col[positive])), counts.shape
    )  # fmt: skip
    start = np.random.default_rng(seed).standard_normal(counts.shape[0])
    u, values, _ = scipy.sparse.linalg.svds(matrix, k=min(embed_dim, counts.shape[0] - 1), v0=start)
    return torch.from_numpy(np.ascontiguousarray(u * np.sqrt(values))).float()
