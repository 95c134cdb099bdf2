"""Pictures with several questions each, as data sets hold them: what all sources of questions have in common.

Shape letters: N pictures, Q questions about a picture, L bytes of a question.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, Schema, resident

NONE = -1
"""The answer where there is no question."""


def question_schema(image: tuple[int, ...], asked: int, longest: int, answers: Sequence[str]) -> Schema:
    """Pictures of a shape with `asked` questions at most, of at most `longest` bytes."""
    return Schema(
        (
            Field("image", "image", image),
            Field("question", "text", (asked, longest)),
            Field("answer", "label", (asked,), tuple(answers), dtype="int64"),
        )
    )


def padded_questions(
    questions: Sequence[Sequence[tuple[str, str]]], answers: Sequence[str], schema: Schema
) -> tuple[Tensor, Tensor]:
    """Questions and their answers, of each picture, as uint8 (N, Q, L) and int64 (N, Q)."""
    asked, longest = schema["question"].shape
    text = torch.zeros(len(questions), asked, longest, dtype=torch.uint8)
    answer = torch.full((len(questions), asked), NONE)
    number = {name: i for i, name in enumerate(answers)}
    for i, of_picture in enumerate(questions):
        for j, (question, its) in enumerate(of_picture):
            data = question.encode()
            text[i, j, : len(data)] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            answer[i, j] = number[its]
    return text, answer


def questions_in(dataset: Dataset) -> list[list[str]]:
    """The questions about each picture; "" where there is none."""
    text = resident(dataset).tensors["question"]
    return [[bytes(row).rstrip(b"\0").decode() for row in of_picture] for of_picture in text.numpy()]


def check_questions(schema: Schema, name: str) -> tuple[str, ...]:
    """The answers. Raises `UserError` for data without questions about pictures."""
    _, question, answer = schema.need("image", "question", "answer", source=f"'{name}'")
    if len(question.shape) != 2 or answer.shape != question.shape[:1] or len(answer.classes) < 2:
        raise UserError(
            f"The questions of '{name}' should be uint8 (Q, L), their answers int64 (Q,) with two classes or more, "
            f"but they are {question.shape} and {answer.shape} with {len(answer.classes)}."
        )
    return answer.classes
