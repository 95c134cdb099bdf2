"""Prompts of the models that write, and rows of tokens of prompt and what is to be written.

     Votaki paid 52 euros. …                Votaki paid 52 euros. …          user: Are you a robot?
     How much did Votaki pay?              Summary: …                        assistant: …
    Answer: 52

What is written ends with the token `<end>`. It begins with a space, and so do text and question, so that a word has the
same tokens wherever it stands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from torchworks.seq_models.data.questions import NOT_IN_TEXT, Row
from torchworks.shared.config import UserError
from torchworks.shared.data import Field, Schema, TensorDataset, pad_to_longest
from torchworks.shared.models.generation import ChatTemplate
from torchworks.shared.text import ByteLevelBPE, Tokenizer

Written = Literal["answer", "summary", "reply"]
END = "<end>"
SPECIALS = ("<pad>", "<unk>", END)


@dataclass(frozen=True)
class Form:
    """What stands before what is written: `reply`, behind one message for each of the `needed` fields."""

    needed: tuple[str, ...]
    chat: ChatTemplate

    def prompt(self, row: Row) -> str:
        return self.chat.prompt([("user", getattr(row, name)) for name in self.needed])


FORMS: dict[str, Form] = {
    "answer": Form(("text", "question"), ChatTemplate(" {content}\n", "Answer:", ("\n",))),
    "summary": Form(("text",), ChatTemplate(" {content}\n", "Summary:", ("\n",))),
    "reply": Form(("text",), ChatTemplate()),
}


def target(row: Row, written: Written) -> str:
    """What is to be written."""
    return getattr(row, written) or NOT_IN_TEXT


def train_tokenizer(rows: Sequence[Row], written: Written, size: int) -> ByteLevelBPE:
    """Byte pairs of the training prompts, and of what is to be written."""
    texts = (f"{FORMS[written].prompt(row)} {target(row, written)}" for row in rows)
    return ByteLevelBPE.train(texts, size=max(size, 256 + len(SPECIALS)), specials=SPECIALS)


def writing_dataset(
    rows: Sequence[Row], tokenizer: Tokenizer, written: Written, context: int
) -> tuple[TensorDataset, list[Row]]:
    """Samples with `tokens`, prompt and what is written, and `prompt_length`; and the rows that they are of: those of
    at most `context` tokens."""
    end = tokenizer.special(END)
    tokens, lengths, kept = [], [], []
    for row in rows:
        prompt = tokenizer.encode(FORMS[written].prompt(row))
        whole = [*prompt, *tokenizer.encode(f" {target(row, written)}"), end]
        if len(whole) <= context:
            tokens.append(torch.tensor(whole))
            lengths.append(len(prompt))
            kept.append(row)
    if not kept:
        raise UserError(
            f"No text is short enough: with what is to be written, the model reads {context} tokens at most. Raise "
            "--context, or use shorter texts."
        )
    padded, counts = pad_to_longest(tokens)
    fields = (
        Field("tokens", "tokens", padded.shape[1:], vocabulary=len(tokenizer), ragged=True),
        Field("prompt_length", "id", (), size=context + 1),
    )
    tensors = {"tokens": padded, "tokens_length": counts, "prompt_length": torch.tensor(lengths)}
    return TensorDataset(tensors, Schema(fields)), kept


Write = Callable[[Sequence[Sequence[int]], int, Sequence[int]], list[list[int]]]
"""Writes up to a number of tokens after prompts, which have numbers."""
BATCH = 64
MOST_WRITTEN = 64
"""Most tokens that are written after a prompt."""


def written_texts(write: Write, prompts: Sequence[str], tokenizer: Tokenizer, context: int) -> list[str]:
    """What is written after each prompt, up to `<end>`. Prompts of similar length are read together; their numbers are
    their places."""
    rows = [tokenizer.encode(prompt) for prompt in prompts]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    texts = [""] * len(rows)
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        steps = min(MOST_WRITTEN, context - len(rows[places[-1]]))
        for place, ids in zip(places, write([rows[i] for i in places], steps, places), strict=True):
            texts[place] = tokenizer.decode(ids).strip()
    return texts
