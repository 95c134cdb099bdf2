"""Sentence-BERT as a classifier: the mean of what BERT makes of a text's tokens, and a linear layer.

Reimers and Gurevych 2019, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks" (arXiv:1908.10084), section
3, the strategy MEAN; the linear layer on fixed vectors is their evaluation in section 5 (SentEval).

The idea: one vector of a text is the mean over its tokens, not what stands at [CLS] as in BERT's own classifier
(`bert.py`). Weights that were trained so that this vector says what a sentence means (`minilm.py`) leave little to a
classifier: a linear layer on vectors that never change, or a short training of the whole net.

    v = √E · mean_t h_t / ‖mean_t h_t‖,        logits = W v + b

What differs from the paper: the length √E, by which a component of v is about 1 in size, as linear layers want it.

Shape letters: N texts, T tokens, E embed_dim, K classes.
"""

from torch import Tensor, nn

from torchworks.seq_models.models.bert import BERT, sentence_vectors

PADDING = 0


class SentenceBERTClassifier(nn.Module):
    """Tokens, int64 (N, T) in [0, `vocabulary`), padded with 0 at their end, T up to `longest`, → logits (N, K), K =
    `num_classes`. `options` are those of `BERT`."""

    def __init__(self, vocabulary: int, num_classes: int, *, drop_rate: float = 0.1, **options):
        super().__init__()
        self.bert = BERT(vocabulary, drop_rate=drop_rate, pooler=False, **options)
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(self.bert.embed_dim, num_classes)
        nn.init.zeros_(self.classifier.weight)  # every class is equally probable, so the first steps move no weights
        nn.init.zeros_(self.classifier.bias)  # of the BERT at random

    def vectors(self, tokens: Tensor) -> Tensor:
        """v of each text, (N, E)."""
        real = tokens != PADDING
        return sentence_vectors(self.bert(tokens, real), real) * self.bert.embed_dim**0.5

    def forward(self, tokens: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.vectors(tokens)))
