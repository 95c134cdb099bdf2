"""The task of pointing at answers: the cross-entropy of their first and of their last token.

Shape letters: N rows, T tokens of the text.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.seq_models.answering.span_net import span_scores
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class SpanPrediction(Task):
    """Trains `model`, from text (N, T) and question to logits (N, 1 + T, 2), by the fields `first` and `last` (N,),
    places of the answer's first and last token, 0 where there is none.

    The scores are shares of rows: `exact_span`, the likeliest span of at most `longest_answer` tokens, or no answer, is
    the right one; `exact_token`, the same of first and last tokens each for itself.
    """

    watch, watch_mode = "exact_span", "max"

    def __init__(self, model: nn.Module, *, lr: float, weight_decay: float, longest_answer: int):
        self.model, self.lr, self.weight_decay, self.longest_answer = model, lr, weight_decay, longest_answer

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        logits = self.model(batch["text"], batch["question"])
        losses = [F.cross_entropy(logits[:, :, i], batch[name]) for i, name in enumerate(("first", "last"))]
        return Out((losses[0] + losses[1]) / 2)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits, first, last = self.model(batch["text"], batch["question"]), batch["first"], batch["last"]
        most = self.longest_answer
        wanted = (1 + (first - 1) * most + last - first).where(first > 0, 0)
        right = span_scores(logits, most).argmax(1) == wanted
        tokens = logits.argmax(1)  # (N, 2)
        return {
            "exact_span": (right.float().sum(), len(first)),
            "exact_token": ((tokens[:, 0] == first).sum() + (tokens[:, 1] == last).sum(), 2 * len(first)),
        }
