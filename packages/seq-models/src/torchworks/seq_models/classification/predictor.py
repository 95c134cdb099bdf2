"""A trained classifier as it is used: texts to probabilities.

A service turns a text into tokens by the tokenizer that is kept with the model; the model itself takes tokens.

Shape letters: N texts, T tokens, K classes.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from torchworks.seq_models.models.text_cnn import TextCNN
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json


class ClassifierPredictor(Predictor):
    """text, the ids of its tokens, int64 (N, T), padded with 0 → probability (N, K) of each class."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(inputs[0]).float().softmax(1)


def build_classifier(config: dict[str, Any], files: Mapping[str, bytes]) -> ClassifierPredictor:
    """The predictor of a classifier, with new weights, from the `config` in `model.json` (its classes, the longest text
    in tokens, its net) and the tokenizer in `files`.

    Builder "seq-models-classifier"."""
    classes, vocabulary = tuple(config["classes"]), len(from_json(files["tokenizer.json"]))
    text = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=vocabulary - 1)
    probability = TensorSpec("probability", "label", "float32", ("N", len(classes)), low=0, high=1, labels=classes)
    signature = Signature((text,), (probability,), most={"T": config["longest"]})
    return ClassifierPredictor(new_net(config["net"], vocabulary, len(classes)), signature)


def new_net(options: Mapping[str, Any], vocabulary: int, num_classes: int) -> TextCNN:
    """The net with `options` of a `NetConfig`, with new weights."""
    return TextCNN(vocabulary, num_classes, **options)
