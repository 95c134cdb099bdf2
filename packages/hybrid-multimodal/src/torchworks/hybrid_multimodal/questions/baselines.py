"""What answers without the picture, or without the question.

Shape letters: P pictures, Q questions about a picture, A answers, F features.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.contrastive.baselines import features
from torchworks.hybrid_multimodal.data.questions import questions_in
from torchworks.shared.data import Dataset, resident

RIDGE = 30.0


def baselines(train: Dataset, test: Dataset) -> dict[str, float]:
    """`accuracy_majority`, the most frequent answer; `accuracy_without_picture`, the most frequent answer to each
    question; `accuracy_without_question`, the answer that ridge regression reads in gradients and colors of the
    picture, alike for all its questions."""
    answers = resident(train).tensors["answer"], resident(test).tensors["answer"]
    most = int(torch.bincount(answers[0][answers[0] >= 0]).argmax())
    return {
        "accuracy_majority": _share(answers[1], torch.full_like(answers[1], most)),
        "accuracy_without_picture": _share(answers[1], _by_question(train, test, answers[0], most)),
        "accuracy_without_question": _share(answers[1], _by_picture(train, test, answers[0])),
    }


def _share(answers: Tensor, said: Tensor) -> float:
    asked = answers >= 0
    return (answers == said)[asked].double().mean().item()


def _by_question(train: Dataset, test: Dataset, answers: Tensor, otherwise: int) -> Tensor:
    table: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for questions, its in zip(questions_in(train), answers.tolist(), strict=True):
        for question, answer in zip(questions, its, strict=True):
            table[question][answer] += 1
    best = {question: counts.most_common(1)[0][0] for question, counts in table.items()}
    rows: Sequence[Sequence[str]] = questions_in(test)
    return torch.tensor([[best.get(question, otherwise) for question in row] for row in rows])


def _by_picture(train: Dataset, test: Dataset, answers: Tensor) -> Tensor:
    asked, count = answers >= 0, int(answers.max()) + 1
    targets = torch.nn.functional.one_hot(answers.clamp(min=0), count) * asked[..., None]
    x = features(resident(train).tensors["image"])
    mean, deviation, center = x.mean(0), x.std(0) + 1e-3, targets.sum(1).double().mean(0)
    x = ((x - mean) / deviation).double()
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    weights = torch.linalg.solve(x.T @ x + RIDGE * eye, x.T @ (targets.sum(1).double() - center))
    read = ((features(resident(test).tensors["image"]) - mean) / deviation).double() @ weights + center
    return read.argmax(1, keepdim=True).expand(-1, answers.shape[1])
