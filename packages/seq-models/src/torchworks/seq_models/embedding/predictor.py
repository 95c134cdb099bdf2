"""Trained word vectors as they are used: words to a vector, and to the words that are nearest to it.

Shape letters: N texts, T words of a text, V words of the vocabulary, D size of a vector, K nearest words.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from torchworks.seq_models.models.glove import GloVe
from torchworks.seq_models.models.word2vec import Word2Vec
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import Tokenizer, from_json

TOKENIZER = "tokenizer.json"
NEAREST = 10
SPECIALS = 2
"""Padding and unknown words."""


class EmbeddingPredictor(Predictor):
    """text, the numbers of its words, int64 (N, T), padded with 0 → `vector` (N, D), the mean of the words' vectors,
    each of length 1, brought to length 1; `nearest` (N, K), the words most alike besides those given, and their
    `similarity` (N, K), the cosine. Unknown words count for nothing; a text of unknown words alone has a vector of
    zeros."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        (text,) = inputs
        assert isinstance(self.net, (Word2Vec, GloVe))
        vectors = F.normalize(self.net.embeddings().float(), dim=1)  # (V, D)
        known = (text >= SPECIALS).to(vectors.dtype)[..., None]  # (N, T, 1)
        total = (F.embedding(text, vectors) * known).sum(1)
        vector = F.normalize(total, dim=1)  # (N, D)
        likeness = (vector @ vectors.T).scatter(1, text, -2.0)  # (N, V)
        known_words = likeness[:, SPECIALS:]
        similarity, nearest = known_words.topk(min(NEAREST, len(vectors) - SPECIALS), 1)
        return vector, nearest + SPECIALS, similarity


def build_embedding(config: dict[str, Any], files: Mapping[str, bytes]) -> EmbeddingPredictor:
    """The predictor of word vectors, with new weights, from the `config` in `model.json` (method, size of a vector) and
    the tokenizer in `files`.

    Builder "seq-models-embedding"."""
    tokenizer = from_json(files[TOKENIZER])
    size, most = config["embed_dim"], min(NEAREST, len(tokenizer) - SPECIALS)
    text = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=len(tokenizer) - 1, pad=0)
    outputs = (
        TensorSpec("vector", "features", "float32", ("N", size)),
        TensorSpec("nearest", "label", "int64", ("N", most), labels=names(tokenizer)),
        TensorSpec("similarity", "features", "float32", ("N", most)),
    )
    return EmbeddingPredictor(new_net(config["method"], len(tokenizer), size), Signature((text,), outputs))


def names(tokenizer: Tokenizer) -> tuple[str, ...]:
    """Of all numbers."""
    return (*tokenizer.specials, *getattr(tokenizer, "tokens", ()))


def new_net(method: str, vocabulary: int, embed_dim: int) -> Word2Vec | GloVe:
    """With new weights."""
    return GloVe(vocabulary, embed_dim) if method == "glove" else Word2Vec(vocabulary, embed_dim)
