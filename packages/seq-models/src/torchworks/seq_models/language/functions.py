"""Python code by a language model: functions whose bodies are written anew, and the share of them that parses."""

import ast
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from torchworks.seq_models.data.documents import Document
from torchworks.shared.text import Tokenizer

LONGEST_FUNCTION = 160
"""Tokens that may be written after the head of a function."""
Writer = Callable[[Sequence[Sequence[int]], int], list[list[int]]]
"""Writes up to a number of tokens after each prompt."""


def parsed(code: str) -> ast.Module | None:
    """What Python's own parser makes of `code`; None if it does not accept it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as one about "\\d"
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def function_heads(documents: Sequence[Document], count: int) -> list[str]:
    """Heads, such as "def area(side):\\n", of at most `count` functions at the top level of files of Python code,
    evenly spread over all."""
    heads = [head for document in documents for head in _heads("".join(document.pieces()))]
    return heads[:: max(1, len(heads) // count)][:count] if count else []


def _heads(code: str) -> Iterator[str]:
    """Of functions that are written as is usual: the body begins in a line of its own."""
    module = parsed(code)
    lines = code.split("\n")  # as the parser counts them; a form feed is no line end to it
    for node in module.body if module else ():
        if isinstance(node, ast.FunctionDef) and node.body[0].lineno > node.lineno:
            head = "\n".join(lines[node.lineno - 1 : node.body[0].lineno - 1])
            if head.rstrip().endswith(":"):
                yield f"{head}\n"


def parsed_share(heads: Sequence[str], tokenizer: Tokenizer, writer: Writer) -> float:
    """The share of functions that Python's parser accepts, whose bodies were written after their heads."""
    prompts = [tokenizer.encode(head) for head in heads]
    bodies = [tokenizer.decode(ids) for ids in writer(prompts, LONGEST_FUNCTION)]
    return float(
        np.mean([parsed(head + first_body(body)) is not None for head, body in zip(heads, bodies, strict=True)])
    )


def first_body(written: str) -> str:
    """The lines of `written` up to the first that is not indented. Without one, the last line is left out: it may be
    cut short."""
    lines = written.split("\n")
    for number, line in enumerate(lines[:-1]):
        if line and not line[0].isspace():
            return "\n".join(lines[:number]) + "\n"
    return "\n".join(lines[:-1]) + "\n"
