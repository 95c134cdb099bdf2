"""Texts from a language model: what it begins with, what it writes, and whether that is Python."""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from torch import nn

from torchworks.seq_models.data.bundled_text import parses
from torchworks.seq_models.data.documents import Document
from torchworks.seq_models.data.token_stream import END
from torchworks.seq_models.generation.generate import NOTHING, generate
from torchworks.seq_models.generation.protocol import Autoregressive
from torchworks.shared.config import UserError
from torchworks.shared.text import Characters, Tokenizer
from torchworks.shared.text.sampling import Sampling

MANY = 20
"""Documents of a training text from which on the model knows how one begins."""
LONGEST_FUNCTION = 160
"""Tokens that may be written after the head of a function."""
Writer = Callable[[Sequence[Sequence[int]], int], list[list[int]]]
"""Writes up to a number of tokens after each prompt."""


@dataclass(frozen=True)
class Beginning:
    """Turns prompts into tokens: those of the text, or, of an empty one, the token after which a text begins."""

    tokenizer: Tokenizer
    first: int

    @property
    def end(self) -> int | None:
        """The token after which a text is complete; None if the model has not learnt where texts end."""
        end = self.tokenizer.special(END)
        return end if self.first == end else None

    @classmethod
    def of(cls, tokenizer: Tokenizer, documents: int) -> "Beginning":
        """A text of many documents begins after `<end>`, another after the end of a line."""
        end, line_end = tokenizer.special(END), tokenizer.encode("\n")[0]
        assert end is not None
        return cls(tokenizer, end if documents >= MANY or line_end == tokenizer.unknown else line_end)

    def tokens(self, prompt: str) -> list[int]:
        """Raises `UserError` for characters that the model does not know."""
        ids = self.tokenizer.encode(prompt)
        if isinstance(self.tokenizer, Characters) and self.tokenizer.unknown in ids:
            unknown = sorted({each for each in prompt if self.tokenizer.encode(each) == [self.tokenizer.unknown]})
            named = ", ".join(f"{each!r} (U+{ord(each):04X})" for each in unknown[:10])
            raise UserError(
                "The prompt has characters that the model does not know, because its training text has none or "
                f"too few of them: {named}. Leave them out."
            )
        return ids or [self.first]


def write(net: nn.Module, prompts: Sequence[Sequence[int]], steps: int, sampling: Sampling, seed: int, end: int | None):
    """Up to `steps` tokens after each prompt, of which as much is read as the net can."""
    model = cast(Autoregressive, net)
    shortened = [list(prompt)[-(model.longest or len(prompt)) :] for prompt in prompts]
    columns = list(generate(model, shortened, steps=steps, sampling=sampling, seed=seed, end=end))
    return [[int(column[i]) for column in columns if column[i] != NOTHING] for i in range(len(prompts))]


def sampler(beginning: Beginning, steps: int, temperature: float) -> Callable[[nn.Module], str]:
    """Makes the sample that is shown during training: always with the same random numbers."""
    tokenizer = beginning.tokenizer

    def sample(net: nn.Module) -> str:
        (ids,) = write(net, [[beginning.first]], steps, Sampling(temperature), 0, None)
        return tokenizer.decode(ids)

    return sample


# ------------------------------------------------------------------------------------------ Python code


def function_heads(documents: Sequence[Document], count: int) -> list[str]:
    """Heads, such as "def area(side):\\n", of at most `count` functions at the top level of files of Python code,
    evenly spread over all."""
    heads = [head for document in documents for head in _heads("".join(document.pieces()))]
    return heads[:: max(1, len(heads) // count)][:count] if count else []


def _heads(code: str) -> Iterator[str]:
    """Of functions that are written as is usual: the body begins in a line of its own."""
    try:
        module = ast.parse(code)
    except (SyntaxError, ValueError):
        return
    lines = code.splitlines(keepends=True)
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.body[0].lineno > node.lineno:
            head = "".join(lines[node.lineno - 1 : node.body[0].lineno - 1])
            if head.rstrip().endswith(":"):
                yield head


def parsed_share(heads: Sequence[str], tokenizer: Tokenizer, writer: Writer) -> float:
    """The share of functions that Python's parser accepts, whose bodies were written after their heads."""
    prompts = [tokenizer.encode(head) for head in heads]
    bodies = [tokenizer.decode(ids) for ids in writer(prompts, LONGEST_FUNCTION)]
    return float(np.mean([parses(head + first_body(body)) for head, body in zip(heads, bodies, strict=True)]))


def first_body(written: str) -> str:
    """The lines of `written` up to the first that is not indented. Without one, the last line is left out: it may be
    cut short."""
    lines = written.split("\n")
    for number, line in enumerate(lines[:-1]):
        if line and not line[0].isspace():
            return "\n".join(lines[:number]) + "\n"
    return "\n".join(lines[:-1]) + "\n"
