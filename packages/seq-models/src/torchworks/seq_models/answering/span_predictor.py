"""The trained model that points at answers, as it is used: a text and a question to an answer and its probability.

A service turns texts into tokens by the tokenizer that is kept with the model, and the tokens of the answer into text.

Shape letters: N rows, T tokens of the text, Q tokens of the question, A tokens of the longest answer.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torchworks.seq_models.answering.span_data import BEGIN, SEPARATOR
from torchworks.seq_models.answering.span_net import PADDING, SpanNet, span_scores
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json

TOKENIZER = "tokenizer.json"


class SpanPredictor(Predictor):
    """Text (N, T) and question (N, Q) → answer, the ids of its tokens (N, A), padded with 0 and of 0 alone if there is
    none; its probability (N,); first and last (N,), the places of its first and last token in the text from 1 on, 0 if
    there is none.

    The probability is that of the chosen span, or of "no answer", among all spans of at most A tokens. "No answer" is
    chosen if its score is above that of the best span by more than `threshold` (section 4.3: s_null > ŝ + τ)."""

    def __init__(self, net: SpanNet, signature: Signature, *, longest_answer: int, threshold: float = 0.0):
        super().__init__(net, signature)
        self.longest_answer, self.threshold = longest_answer, threshold

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        text, question = inputs
        scores = span_scores(self.net(text, question), self.longest_answer)  # (N, 1 + T · A)
        best, place = scores[:, 1:].max(1)
        there = best + self.threshold >= scores[:, 0]
        chosen = torch.where(there, place + 1, 0)
        probability = scores.softmax(1).gather(1, chosen[:, None])[:, 0]
        first = torch.where(there, 1 + place // self.longest_answer, 0)
        last = torch.where(there, first + place % self.longest_answer, 0)
        return self._cut_out(text, first, last), probability, first, last

    def _cut_out(self, text: Tensor, first: Tensor, last: Tensor) -> Tensor:
        """The ids of tokens `first` to `last`, (N, A)."""
        places = first[:, None] - 1 + torch.arange(self.longest_answer, device=text.device)  # (N, A)
        inside = (places < last[:, None]) & (places >= 0)
        beyond = torch.cat([text, text.new_zeros((text.shape[0], self.longest_answer))], 1)
        return torch.where(inside, beyond.gather(1, places.clamp(min=0)), PADDING)


def build_span_predictor(config: dict[str, Any], files: Mapping[str, bytes]) -> SpanPredictor:
    """The predictor with new weights, from the `config` in `model.json` (most tokens of a text, a question and an
    answer, its net, its threshold) and the tokenizer in `files`.

    Builder "seq-models-answers"."""
    tokenizer = from_json(files[TOKENIZER])
    vocabulary, most = len(tokenizer), config["most"]
    net = new_net(config["net"], vocabulary, most, tokenizer.special(BEGIN) or 0, tokenizer.special(SEPARATOR) or 0)
    signature = Signature(
        (
            TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=vocabulary - 1),
            TensorSpec("question", "text", "int64", ("N", "Q"), low=0, high=vocabulary - 1),
        ),
        (
            TensorSpec("answer", "text", "int64", ("N", most["A"]), low=0, high=vocabulary - 1),
            TensorSpec("probability", "features", "float32", ("N",), low=0, high=1.0001),
            TensorSpec("first", "features", "int64", ("N",), low=0, high=most["T"]),
            TensorSpec("last", "features", "int64", ("N",), low=0, high=most["T"]),
        ),
        most={"T": most["T"], "Q": most["Q"]},
    )
    return SpanPredictor(net, signature, longest_answer=most["A"], threshold=config.get("threshold", 0.0))


def new_net(
    options: Mapping[str, Any], vocabulary: int, most: Mapping[str, int], begin: int, separator: int
) -> SpanNet:
    """The net with the options of a `NetConfig`, `architecture` and `matching`, with new weights."""
    if options["embed_dim"] % options["num_heads"]:
        raise UserError(
            f"--net.num-heads {options['num_heads']} do not divide --net.embed-dim {options['embed_dim']}: each head "
            "has an equal share of it."
        )
    names = ("architecture", "depth", "embed_dim", "num_heads", "ff_dim", "drop_rate", "matching")
    given = {name: options[name] for name in names}
    return SpanNet(vocabulary, begin=begin, separator=separator, longest=most["T"] + most["Q"] + 2, **given)
