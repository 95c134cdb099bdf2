"""The task of question answering: all questions about a picture at once, and the mean loss of all questions of a batch.

Shape letters: P pictures, Q questions about a picture, T words, A answers.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.hybrid_multimodal.questions.metrics import kinds_of
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class Answering(Task):
    """Batches have an "image" (P, C, S, S), questions as "tokens" (P, Q, T) and an "answer" (P, Q), -1 where there is
    no question. Scores: `accuracy` of all questions, and of each kind of answer, such as `color_accuracy`."""

    watch, watch_mode = "accuracy", "max"
    units = "questions"

    def __init__(self, model: nn.Module, *, answers: tuple[str, ...], lr: float, weight_decay: float):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.kinds = kinds_of(answers)

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def answered(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits and answers of all questions of a batch that there are."""
        tokens, answer = batch["tokens"], batch["answer"]
        of, place = (answer >= 0).nonzero(as_tuple=True)
        return self.model(batch["image"], tokens[of, place], of).float(), answer[of, place]

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        logits, answers = self.answered(batch)
        right = (logits.argmax(1) == answers).float().mean()
        return Out(F.cross_entropy(logits, answers), weight=len(answers), logs={"accuracy": right})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits, answers = self.answered(batch)
        right = logits.argmax(1) == answers
        scores: dict[str, Any] = {"accuracy": (right.sum(), len(right))}
        scores["loss"] = (F.cross_entropy(logits, answers, reduction="sum"), len(right))
        for kind, numbers in self.kinds.items():
            these = torch.isin(answers, torch.tensor(numbers, device=answers.device))
            scores[f"{kind}_accuracy"] = ((right & these).sum(), these.sum())
        return scores
