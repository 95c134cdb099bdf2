"""Texts with a question and an answer, with a summary, or with a reply, as a source. Imports torch only when one is
made.

An empty answer says that the text does not answer the question.
"""

import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from torchworks.shared.data.schema import Dataset, Field, Schema
from torchworks.shared.data.source import Source
from torchworks.shared.data.split import fingerprint

if TYPE_CHECKING:
    from torch import Tensor

    from torchworks.shared.data.dataset import TensorDataset

NOT_IN_TEXT = "not in the text"
"""What a model says, and scores read, where there is no answer."""
STRINGS = ("text", "question", "answer", "summary", "reply")


@dataclass(frozen=True)
class Row:
    """A text with a question, its answer and at which character that begins; with a summary; or with a reply."""

    text: str
    question: str = ""
    answer: str = ""
    start: int = 0
    summary: str = ""
    reply: str = ""


def find_answer(text: str, answer: str) -> int:
    """At which character `answer` begins in `text`: the first place where it stands as a whole, else the first place;
    -1 if it is not there."""
    whole = re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text)
    return whole.start() if whole else text.find(answer)


def question_source(
    name: str, licence: str, train: Sequence[Row], test: Sequence[Row], *, notes: Sequence[str] = ()
) -> Source:
    """A source with those of the fields question, answer, summary and reply that the rows have. `start` is -1 where an
    answer does not stand in its text."""
    every = [*train, *test]
    asked, summed, replied = (any(getattr(row, name) for row in every) for name in ("question", "summary", "reply"))
    names = ["text", *["question", "answer"] * asked, *["summary"] * summed, *["reply"] * replied]
    fields = [Field(each, "text", (_longest(every, each),), ragged=True) for each in names]
    fields += [Field("start", "id", (), size=fields[0].shape[0] + 1)] * asked
    schema = Schema(tuple(fields))
    parts = (rows_as_dataset(part, schema) for part in (train, test))
    mark = fingerprint(*([*map(astuple, part)] for part in (train, test)))
    return Source(name, licence, *parts, schema, mark, tuple(notes))


def _longest(rows: Sequence[Row], name: str) -> int:
    return max(len(getattr(row, name).encode()) for row in rows)


def rows_as_dataset(rows: Sequence[Row], schema: Schema) -> "TensorDataset":
    """Texts as UTF-8."""
    import torch

    from torchworks.shared.data.dataset import TensorDataset
    from torchworks.shared.data.ragged import length_name, pad_to_longest

    tensors: dict[str, Tensor] = {}
    for name in schema.ragged:
        each = [torch.tensor([*getattr(row, name).encode()], dtype=torch.uint8) for row in rows]
        tensors[name], tensors[length_name(name)] = pad_to_longest(each)
    if "start" in schema:
        tensors["start"] = torch.tensor([row.start for row in rows])
    return TensorDataset(tensors, schema)


def rows_of(dataset: Dataset) -> list[Row]:
    """The samples of a data set as rows."""
    from torchworks.shared.data.dataset import resident

    held = resident(dataset)
    names = [name for name in STRINGS if name in held.schema]
    found = []
    for i in range(len(held)):
        sample = held[i]
        values = {name: bytes(sample[name].tolist()).decode() for name in names}
        found.append(Row(**values, start=int(sample.get("start", 0))))
    return found
