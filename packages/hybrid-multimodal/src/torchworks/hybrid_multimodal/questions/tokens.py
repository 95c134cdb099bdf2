"""Questions as tokens.

Shape letters: P pictures, Q questions about a picture, T words of a question.
"""

from collections.abc import Iterable

from torchworks.hybrid_multimodal.data.questions import questions_in
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, Schema, TensorDataset, resident
from torchworks.shared.data.tokenized import padded
from torchworks.shared.text import Tokenizer, Words
from torchworks.shared.text.reading import check_words

TOKENIZER = "tokenizer.json"


def new_tokenizer(questions: Iterable[str]) -> Words:
    """Of all words and marks of the training questions. Raises `UserError` if there are none."""
    words = Words.train(set(questions))
    if not words.tokens:
        raise UserError(
            "The training data have no question, so there is nothing to learn. Choose other data by --data."
        )
    return words


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
    advice = "Ask something, such as: what color is the seven?"
    check_words(question, tokenizer, longest, name="question", learned="questions", advice=advice)
