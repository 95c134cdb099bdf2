"""A trained classifier as it is used: texts to probabilities.

A service turns a text into tokens by the tokenizer that is kept with the model; the model itself takes tokens.

Shape letters: N texts, T tokens, K classes.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from torchworks.seq_models.classification.nets import new_net
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json


class ClassifierPredictor(Predictor):
    """text, the ids of its tokens, int64 (N, T), padded with 0 → probability (N, K) of each class, from logits divided
    by `temperature`."""

    def __init__(self, net: nn.Module, signature: Signature, temperature: float = 1.0):
        super().__init__(net, signature)
        self.temperature = temperature

    def forward(self, *inputs: Tensor) -> Tensor:
        return (self.net(inputs[0]).float() / self.temperature).softmax(1)


def build_classifier(config: dict[str, Any], files: Mapping[str, bytes]) -> ClassifierPredictor:
    """The predictor of a classifier, with new weights, from the `config` in `model.json` (its classes, the longest text
    in tokens, its net, its temperature) and the tokenizer in `files`.

    Builder "seq-models-classifier"."""
    classes, vocabulary = tuple(config["classes"]), len(from_json(files["tokenizer.json"]))
    text = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=vocabulary - 1)
    probability = TensorSpec("probability", "label", "float32", ("N", len(classes)), low=0, high=1, labels=classes)
    signature = Signature((text,), (probability,), most={"T": config["longest"]})
    net = new_net(config["net"], vocabulary, len(classes), config["longest"])
    return ClassifierPredictor(net, signature, config.get("temperature", 1.0))
