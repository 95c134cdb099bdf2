"""From rows of text, question and answer to tokens, and to the places of the answer's first and last token."""

from collections.abc import Sequence
from itertools import accumulate

import torch

from torchworks.seq_models.data.questions import Row
from torchworks.shared.config import UserError
from torchworks.shared.data import Field, Schema, TensorDataset, pad_to_longest
from torchworks.shared.data.ragged import length_name
from torchworks.shared.text import ByteLevelBPE

BEGIN, SEPARATOR = "<cls>", "<sep>"
SPECIALS = ("<pad>", "<unk>", BEGIN, SEPARATOR)


def train_tokenizer(rows: Sequence[Row], size: int) -> ByteLevelBPE:
    """Byte pairs of the training texts and questions."""
    texts = (each for row in rows for each in (row.text, row.question))
    return ByteLevelBPE.train(texts, size=max(size, 256 + len(SPECIALS)), specials=SPECIALS)


def answer_tokens(tokenizer: ByteLevelBPE, ids: Sequence[int], row: Row) -> tuple[int, int]:
    """The first and the last token of the text `ids` that have bytes of the row's answer, counted from 0."""
    begin = len(row.text[: row.start].encode())
    end = begin + len(row.answer.encode())
    ends = [*accumulate(len(tokenizer.parts[each]) for each in ids)]  # of each token
    first = sum(each <= begin for each in ends)
    return first, sum(each < end for each in ends)


def span_dataset(rows: Sequence[Row], tokenizer: ByteLevelBPE, most: dict[str, int]) -> tuple[TensorDataset, list[Row]]:
    """Samples with `text`, `question`, `first` and `last` (0 if there is no answer), and the rows that they are of:
    those that are not longer than the sizes of `most`: T, Q and A tokens."""
    tensors: dict[str, list[torch.Tensor]] = {"text": [], "question": []}
    places, kept = [], []
    for row in rows:
        text, question = tokenizer.encode(row.text), tokenizer.encode(row.question)
        first, last = answer_tokens(tokenizer, text, row) if row.answer else (-1, -1)
        if len(text) > most["T"] or len(question) > most["Q"] or last - first >= most["A"]:
            continue
        tensors["text"].append(torch.tensor(text))
        tensors["question"].append(torch.tensor(question))
        places.append((first + 1, last + 1))
        kept.append(row)
    if not kept:
        raise UserError(
            f"No text is short enough: the model reads texts of {most['T']} tokens, questions of {most['Q']} and "
            f"answers of {most['A']}. Raise --longest, --longest-question or --longest-answer, or use shorter texts."
        )
    return _dataset(tensors, places, len(tokenizer)), kept


def _dataset(rows: dict[str, list[torch.Tensor]], places: list[tuple[int, int]], vocabulary: int) -> TensorDataset:
    tensors, fields = {}, []
    for name, each in rows.items():
        tensors[name], tensors[length_name(name)] = pad_to_longest(each)
        fields.append(Field(name, "tokens", tensors[name].shape[1:], vocabulary=vocabulary, ragged=True))
    size = tensors["text"].shape[1] + 1
    for name, values in zip(("first", "last"), zip(*places, strict=True), strict=True):
        tensors[name] = torch.tensor(values)
        fields.append(Field(name, "id", (), size=size))
    return TensorDataset(tensors, Schema(tuple(fields)))
