"""The net of a classifier, by its configuration."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from torchworks.seq_models.models.bert import BERTForClassification
from torchworks.seq_models.models.recurrent_classifier import RecurrentClassifier
from torchworks.seq_models.models.sentence_bert import SentenceBERTClassifier
from torchworks.seq_models.models.text_cnn import TextCNN
from torchworks.seq_models.models.transformer_classifier import TransformerClassifier
from torchworks.shared.config import UserError

OPTIONS = {
    "cnn": ("embed_dim", "filters", "widths", "drop_rate"),
    "lstm": ("embed_dim", "hidden_dim", "depth", "pooling", "drop_rate"),
    "gru": ("embed_dim", "hidden_dim", "depth", "pooling", "drop_rate"),
    "transformer": ("embed_dim", "depth", "num_heads", "ff_dim", "positions", "pooling", "drop_rate"),
    "bert": ("embed_dim", "depth", "num_heads", "ff_dim", "drop_rate"),
    "sentence-bert": ("embed_dim", "depth", "num_heads", "ff_dim", "drop_rate"),
}
"""The fields of `NetConfig` that each architecture uses."""


class TextBERT(BERTForClassification):
    """A BERT that finds out by itself where rows are padded, with 0."""

    def forward(self, tokens: Tensor, real: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        return super().forward(tokens, tokens != 0 if real is None else real, segments)


def new_net(options: Mapping[str, Any], vocabulary: int, num_classes: int, longest: int) -> nn.Module:
    """The net with `options` of a `NetConfig`, with new weights: tokens (N, T), T ≤ `longest`, padded with 0 → logits
    (N, `num_classes`)."""
    architecture = options["architecture"]
    given = {name: options[name] for name in OPTIONS[architecture] if name in options}
    if architecture == "transformer" and given["pooling"] == "last":
        given["pooling"] = "mean"
    if options["embed_dim"] % options["num_heads"] and "num_heads" in given:
        raise UserError(
            f"--net.num-heads {options['num_heads']} do not divide --net.embed-dim {options['embed_dim']}: each head "
            "has an equal share of it."
        )
    match architecture:
        case "cnn":
            return TextCNN(vocabulary, num_classes, **given)
        case "lstm" | "gru":
            return RecurrentClassifier(vocabulary, num_classes, kind=architecture, **given)
        case "transformer":
            return TransformerClassifier(vocabulary, num_classes, **given)
        case "sentence-bert":
            return SentenceBERTClassifier(vocabulary, num_classes, longest=longest, **given)
        case _:
            return TextBERT(vocabulary, num_classes, longest=longest, **given)
