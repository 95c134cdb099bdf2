"""The net of a classifier, by its configuration."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from torchworks.seq_models.models.text_cnn import TextCNN


def new_net(options: Mapping[str, Any], vocabulary: int, num_classes: int, longest: int) -> nn.Module:
    """The net with `options` of a `NetConfig`, with new weights: tokens (N, T), T ≤ `longest`, padded with 0 → logits
    (N, `num_classes`). The embedding of unknown tokens, id 1, is trained like any other."""
    match options["architecture"]:
        case "cnn":
            names = ("embed_dim", "filters", "widths", "drop_rate")
            return TextCNN(vocabulary, num_classes, **{name: options[name] for name in names})
    raise ValueError(f"there is no architecture {options['architecture']!r}")
