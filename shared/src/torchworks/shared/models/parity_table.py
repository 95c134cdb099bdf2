"""A table of how far nets are from those of other libraries, on the terminal and in a README."""

import importlib.metadata
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from torchworks.shared.config import UserError
from torchworks.shared.models.parity import Parity

MARKERS = ("<!-- models -->", "<!-- /models -->")
"""What a generated table lies between."""
MEASURED = (
    "compared with", "keys", "outputs, fp32", "outputs, fp64", "gradients, fp64", "torch.export", "ONNX"
)  # fmt: skip
"""The columns of `cells`."""
Row = tuple[str, ...]


def cells(parity: Parity) -> Row:
    """What was measured, by `MEASURED`."""
    found = (
        parity.fp32_outputs, parity.fp64_outputs, parity.fp64_gradients, parity.exported, parity.onnx
    )  # fmt: skip
    return parity.oracle, str(parity.keys), *map(_number, found)


def _number(difference: float | None) -> str:
    if difference is None:
        return "–"
    return f"{difference:.1e}" if difference else "0"


def show(title: str, columns: Row, rows: Iterable[Row]) -> None:
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        # a name that is too wide goes on in the next line: a word that is cut cannot be copied
        table.add_column(column, justify="left" if place < 2 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def markdown(columns: Row, rows: Iterable[Row], above: str, *, left: Sequence[int]) -> str:
    """The table, with `above` before it. Columns at the places `left` are words, all others numbers."""
    rule = ["---" if place in left else "---:" for place in range(len(columns))]
    lines = [_line(columns), _line(rule)]
    return "\n".join([above, "", *lines, *(_line((f"`{name}`", *rest)) for name, *rest in rows)])


def made_by(command: str, others: Iterable[str]) -> str:
    """How a table was made: the command, the versions of torch and of `others` that are installed, and what the numbers
    are."""
    known = importlib.metadata.packages_distributions()
    found = (f"{name} {importlib.metadata.version(known[name][0])}" for name in others if name in known)
    versions = [f"torch {torch.__version__}", *found]
    return (
        f"Made by `{command}` with {', '.join(versions)}. Both nets have the same random weights, loaded strictly both "
        "ways. Differences are the largest, in units of the reference's largest output or gradient: outputs in "
        "evaluation and training, gradients of all weights."
    )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def between_markers(readme: Path, text: str) -> str:
    """What `readme` holds, with `text` between its markers. Raises `UserError` if it cannot be read or has none."""
    try:
        content = readme.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{readme} cannot be read: {error}. Name a Markdown file that exists.") from error
    before, begin, rest = content.partition(MARKERS[0])
    _, end, after = rest.partition(MARKERS[1])
    if not begin or not end:
        raise UserError(
            f"{readme} has no place for the table. Put the lines {MARKERS[0]} and {MARKERS[1]} where it belongs."
        )
    return f"{before}{begin}\n{text}\n{end}{after}"
