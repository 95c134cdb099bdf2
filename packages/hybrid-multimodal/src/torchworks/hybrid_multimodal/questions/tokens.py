"""Questions as tokens.

Shape letters: P pictures, Q questions about a picture, T words of a question.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.questions import questions_in
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, Schema, TensorDataset, resident
from torchworks.shared.text import Tokenizer, Words

TOKENIZER = "tokenizer.json"


def new_tokenizer(questions: Iterable[str]) -> Words:
    """Of all words and marks of the training questions. Raises `UserError` if there are none."""
    words = Words.train(set(questions))
    if not words.tokens:
        raise UserError(
            "The training data have no question, so there is nothing to learn. Choose other data by --data."
        )
    return words


def padded(questions: Sequence[str], tokenizer: Tokenizer, length: int) -> Tensor:
    """int64 (N, `length`): the tokens of questions, cut off or padded with 0."""
    tokens = torch.zeros(len(questions), length, dtype=torch.int64)
    for row, question in zip(tokens, questions, strict=True):
        ids = tokenizer.encode(question)[:length]
        row[: len(ids)] = torch.tensor(ids, dtype=torch.int64)
    return tokens


def tokenized(dataset: Dataset, tokenizer: Tokenizer, length: int) -> TensorDataset:
    """Pictures with their questions as `tokens` (P, Q, T), and `answer` (P, Q)."""
    questions = questions_in(dataset)
    held, asked = resident(dataset).tensors, dataset.schema["answer"].shape[0]
    tokens = padded([each for row in questions for each in row], tokenizer, length).view(-1, asked, length)
    field = Field("tokens", "tokens", (asked, length), vocabulary=len(tokenizer))
    schema = Schema((dataset.schema["image"], field, dataset.schema["answer"]))
    return TensorDataset({"image": held["image"], "tokens": tokens, "answer": held["answer"]}, schema)


def check_question(question: str, tokenizer: Words, longest: int) -> None:
    """Raise `UserError` for a question that the model cannot read as a whole."""
    if not tokenizer.encode(question):
        raise UserError("The question has no word in it. Ask something, such as: what color is the seven?")
    if unknown := tokenizer.unknown_in(question.lower()):
        near = [f"'{close[0]}'" for word in unknown if (close := get_close_matches(word, tokenizer.tokens, 1))]
        raise UserError(
            f"The model does not know {', '.join(map(repr, unknown))}: no training question has it. "
            f"{f'Did you mean {chr(44).join(near)}? ' if near else ''}It knows: {', '.join(sorted(tokenizer.tokens))}."
        )
    if (count := len(tokenizer.encode(question))) > longest:
        raise UserError(
            f"The question has {count} words and marks, but this model reads {longest} at most, as many as its longest "
            "training question has. Ask it in fewer."
        )
