"""A trained net that answers questions as it is used: a picture and a question to the probability of each answer.

Shape letters: N pictures with a question each, C channels, S pixels along a side, T words of a question, L of the
longest that training had, A answers."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.questions.nets import Net, new_net
from torchworks.hybrid_multimodal.questions.tokens import TOKENIZER
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json

BUILDER = "hybrid-multimodal-vqa"


class VQAPredictor(Predictor):
    """image, uint8 (N, C, S, S), and question, the ids of its words, int64 (N, T ≤ L), padded with 0 → answer, the
    probability of each, (N, A).

    Questions are padded to L before the net reads them word by word: it would otherwise be exported for the one length
    that it was traced with."""

    def __init__(self, net: Net, signature: Signature, longest: int):
        super().__init__(net, signature)
        self.longest = longest

    def forward(self, *inputs: Tensor) -> Tensor:
        image, question = inputs
        return self.net(image.float() / 127.5 - 1, self.padded(question)).float().softmax(1)

    def padded(self, question: Tensor) -> Tensor:
        """(N, L)."""
        behind = question.new_zeros(question.shape[0], self.longest)
        return torch.cat([question, behind], 1)[:, : self.longest]


def build_vqa(config: dict[str, Any], files: Mapping[str, bytes]) -> VQAPredictor:
    """The predictor of a net that answers questions, with new weights, from the `config` in `model.json` (its net, the
    answers, the longest question, the image) and the tokenizer in `files`.

    Builder "hybrid-multimodal-vqa"."""
    vocabulary, answers = len(from_json(files[TOKENIZER])), tuple(config["answers"])
    size, channels, longest = config["image_size"], config["channels"], config["longest"]
    net = new_net(config["net"], vocabulary=vocabulary, answers=len(answers), image_size=size, channels=channels)
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size), low=0, high=255)
    question = TensorSpec("question", "text", "int64", ("N", "T"), low=0, high=vocabulary - 1, pad=0)
    answer = TensorSpec("answer", "label", "float32", ("N", len(answers)), low=0, high=1, labels=answers)
    return VQAPredictor(net, Signature((image, question), (answer,), most={"T": longest}), longest)
