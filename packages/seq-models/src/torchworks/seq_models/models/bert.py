"""BERT: a Transformer encoder that learns from gaps in texts, and is then fine-tuned to whatever is asked.

Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding"
(arXiv:1810.04805). Names of parameters are Hugging Face's (`BertModel`, `BertForMaskedLM`,
`BertForSequenceClassification`, `BertForQuestionAnswering`), whose weights load as they are.

The idea: every token sees the whole text, on both sides. To learn that without labels, some tokens are hidden and
guessed from the others (section 3.1, task 1). The first token, "[CLS]", stands for the text as a whole; what the
encoder makes of it (through one more layer, the pooler) is what a classifier reads (section 3.2).

    h_0 = LN(tokens + positions + segments)                                       (figure 2)
    h'  = LN(h + attention(h)),    h_l = LN(h' + W_2 GELU(W_1 h' + b_1) + b_2)    (post-norm, as in the Transformer)
    pooled = tanh(W_p h_L[CLS] + b_p)

What differs: nothing in evaluation. All dropout rates are one.

`sentence_vectors` are not BERT's but Sentence-BERT's (Reimers and Gurevych 2019, arXiv:1908.10084, section 3): the mean
of all real tokens.

Shape letters: B texts, T tokens, V vocabulary, E embed_dim, h heads, d channels of a head, K classes.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.attention import attention, check_heads, mask_and_positions
from torchworks.seq_models.models.tied import TiedNet

EPS = 1e-12
"""Of the layer norms: the published weights were trained with it, not with PyTorch's 1e-5."""


class BERT(nn.Module):
    """Tokens, int64 (B, T) in [0, `vocabulary`), T up to `longest`, → what each means in its text, (B, T, E).

    `real`, bool (B, T), is False where rows are padded, `segments`, int64 (B, T), says which of two texts a token
    belongs to; without them all are real and of the first. With `pooler`, `pooled` makes one vector of a text.
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        longest: int = 512,
        depth: int = 12,
        embed_dim: int = 768,
        num_heads: int = 12,
        ff_dim: int = 3072,
        num_segments: int = 2,
        drop_rate: float = 0.1,
        pooler: bool = True,
    ):
        super().__init__()
        self.longest, self.embed_dim = longest, embed_dim
        self.embeddings = Embeddings(vocabulary, longest, num_segments, embed_dim, drop_rate)
        self.encoder = Encoder([Layer(embed_dim, num_heads, ff_dim, drop_rate) for _ in range(depth)])
        self.pooler = Pooler(embed_dim) if pooler else None
        self.apply(_initialize)

    def forward(self, tokens: Tensor, real: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        mask, positions = mask_and_positions(real, 0, tokens, causal=False)
        x = self.embeddings(tokens, positions, torch.zeros_like(tokens) if segments is None else segments)
        return self.encoder(x, mask)

    def pooled(self, hidden: Tensor) -> Tensor:
        """What `forward` returned as one vector of each text, (B, E), of its first token."""
        assert self.pooler is not None, "this BERT was built without a pooler"
        return self.pooler(hidden)


class BERTForMaskedLM(TiedNet):
    """Tokens (B, T), some of them hidden behind "[MASK]", → logits (B, T, V) of what stands at each place."""

    tied = MappingProxyType(
        {
            "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        }
    )

    def __init__(self, vocabulary: int, **options):
        super().__init__()
        self.bert = BERT(vocabulary, pooler=False, **options)
        self.cls = MaskedLMHead(vocabulary, self.bert.embed_dim)
        self.cls.apply(_initialize)

    def forward(self, tokens: Tensor, real: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        return self.cls(self.bert(tokens, real, segments), self.bert.embeddings.word_embeddings.weight)


class BERTForClassification(nn.Module):
    """Tokens (B, T) → logits (B, K) of each text."""

    def __init__(self, vocabulary: int, num_classes: int, *, drop_rate: float = 0.1, **options):
        super().__init__()
        self.bert = BERT(vocabulary, drop_rate=drop_rate, **options)
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(self.bert.embed_dim, num_classes)
        self.classifier.apply(_initialize)

    def forward(self, tokens: Tensor, real: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        return self.classifier(self.dropout(self.bert.pooled(self.bert(tokens, real, segments))))


class BERTForQuestionAnswering(nn.Module):
    """Tokens (B, T) of a question and a text → logits (B, T, 2) of each token to be the answer's first and its last
    (section 4.2)."""

    def __init__(self, vocabulary: int, **options):
        super().__init__()
        self.bert = BERT(vocabulary, pooler=False, **options)
        self.qa_outputs = nn.Linear(self.bert.embed_dim, 2)
        self.qa_outputs.apply(_initialize)

    def forward(self, tokens: Tensor, real: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        return self.qa_outputs(self.bert(tokens, real, segments))


def sentence_vectors(hidden: Tensor, real: Tensor) -> Tensor:
    """What `BERT` returned, (B, T, E), as one vector of each text, (B, E): the mean of its real tokens, of length 1."""
    weights = real[:, :, None].to(hidden.dtype)
    mean = (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)
    return F.normalize(mean, dim=1)


class Embeddings(nn.Module):
    """Figure 2: tokens (B, T), positions (B or 1, T) and segments (B, T) → (B, T, E)."""

    def __init__(self, vocabulary: int, longest: int, num_segments: int, embed_dim: int, drop_rate: float):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, embed_dim)
        self.position_embeddings = nn.Embedding(longest, embed_dim)
        self.token_type_embeddings = nn.Embedding(num_segments, embed_dim)
        self.LayerNorm = nn.LayerNorm(embed_dim, eps=EPS)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, tokens: Tensor, positions: Tensor, segments: Tensor) -> Tensor:
        x = self.word_embeddings(tokens) + self.token_type_embeddings(segments) + self.position_embeddings(positions)
        return self.dropout(self.LayerNorm(x))


class Encoder(nn.Module):
    """All layers: (B, T, E) → (B, T, E)."""

    def __init__(self, layers: Sequence["Layer"]):
        super().__init__()
        self.layer = nn.ModuleList(layers)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for layer in self.layer:
            x = layer(x, mask)
        return x


class Layer(nn.Module):
    """Attention, then two layers over each token by itself: (B, T, E) → (B, T, E)."""

    def __init__(self, embed_dim: int, num_heads: int, ff_dim: int, drop_rate: float):
        super().__init__()
        self.attention = Attention(embed_dim, num_heads, drop_rate)
        self.intermediate = Widen(embed_dim, ff_dim)
        self.output = AddAndNorm(ff_dim, embed_dim, drop_rate)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.attention(x, mask)
        return self.output(self.intermediate(x), x)


class Attention(nn.Module):
    """LN(x + attention(x)): (B, T, E) → (B, T, E)."""

    def __init__(self, embed_dim: int, num_heads: int, drop_rate: float):
        super().__init__()
        self.self = SelfAttention(embed_dim, num_heads, drop_rate)
        self.output = AddAndNorm(embed_dim, embed_dim, drop_rate)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.output(self.self(x, mask), x)


class SelfAttention(nn.Module):
    """(B, T, E) → (B, T, E), before the layer that joins the heads."""

    def __init__(self, embed_dim: int, num_heads: int, drop_rate: float):
        super().__init__()
        check_heads(embed_dim, num_heads)
        self.num_heads, self.drop_rate = num_heads, drop_rate
        self.query, self.key, self.value = (nn.Linear(embed_dim, embed_dim) for _ in range(3))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        heads = (self.num_heads, -1)
        q, k, v = (part(x).unflatten(2, heads).transpose(1, 2) for part in (self.query, self.key, self.value))
        answer = attention(q, k, v, mask, drop_rate=self.drop_rate if self.training else 0.0)  # (B, h, T, d)
        return answer.transpose(1, 2).flatten(2)


class AddAndNorm(nn.Module):
    """LN(before + W x + b): how each half of a layer ends."""

    def __init__(self, in_features: int, embed_dim: int, drop_rate: float):
        super().__init__()
        self.dense = nn.Linear(in_features, embed_dim)
        self.LayerNorm = nn.LayerNorm(embed_dim, eps=EPS)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(before + self.dropout(self.dense(x)))


class Widen(nn.Module):
    """GELU(W_1 x + b_1): (B, T, E) → (B, T, `ff_dim`)."""

    def __init__(self, embed_dim: int, ff_dim: int):
        super().__init__()
        self.dense = nn.Linear(embed_dim, ff_dim)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.dense(x))


class Pooler(nn.Module):
    """One vector of each text: (B, T, E) → (B, E)."""

    def __init__(self, embed_dim: int):
        super().__init__()
        self.dense = nn.Linear(embed_dim, embed_dim)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.dense(hidden[:, 0]).tanh()


class MaskedLMHead(nn.Module):
    """(B, T, E) → logits (B, T, V): one more layer, then products with the embeddings of all tokens, (V, E)."""

    def __init__(self, vocabulary: int, embed_dim: int):
        super().__init__()
        self.predictions = Predictions(vocabulary, embed_dim)

    def forward(self, hidden: Tensor, embeddings: Tensor) -> Tensor:
        return F.linear(self.predictions.transform(hidden), embeddings, self.predictions.bias)


class Predictions(nn.Module):
    """The parameters of `MaskedLMHead`, which the published weights hold one level deeper."""

    def __init__(self, vocabulary: int, embed_dim: int):
        super().__init__()
        self.transform = Transform(embed_dim)
        self.bias = nn.Parameter(torch.zeros(vocabulary))


class Transform(nn.Module):
    """LN(GELU(W x + b)): (B, T, E) → (B, T, E)."""

    def __init__(self, embed_dim: int):
        super().__init__()
        self.dense = nn.Linear(embed_dim, embed_dim)
        self.LayerNorm = nn.LayerNorm(embed_dim, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        return self.LayerNorm(F.gelu(self.dense(x)))


def _initialize(module: nn.Module) -> None:
    """Weights from N(0, 0.02²), biases 0, as in appendix A.2's code."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `BERT` for a Hugging Face `config.json` of a BERT. Raises `ValueError` for what this one
    lacks."""
    for name, only in (("hidden_act", "gelu"), ("layer_norm_eps", EPS), ("position_embedding_type", "absolute")):
        if config.get(name, only) != only:
            raise ValueError(f"This BERT has {name} = {only} only, but the configuration says {config[name]}.")
    return {
        "vocabulary": config["vocab_size"],
        "longest": config["max_position_embeddings"],
        "depth": config["num_hidden_layers"],
        "embed_dim": config["hidden_size"],
        "num_heads": config["num_attention_heads"],
        "ff_dim": config["intermediate_size"],
        "num_segments": config["type_vocab_size"],
        "drop_rate": config.get("hidden_dropout_prob", 0.1),
    }
