"""The command `models`: the nets of this package, and how far each is from the library that has it."""

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from torchworks.diffusion.models.commands import Models
from torchworks.diffusion.models.parity import ORACLES, ROWS, Parity, comparison, measure
from torchworks.diffusion.models.registry import find_model, list_models
from torchworks.shared.config import UserError

MARKERS = ("<!-- models -->", "<!-- /models -->")
"""What a generated table lies between."""
COLUMNS = (
    "net", "compared with", "keys", "outputs, fp32", "outputs, fp64", "gradients, fp64", "torch.export", "ONNX",
    "exported for",
)  # fmt: skip
Row = tuple[str, ...]


def print_models(arguments: Models) -> int:
    """Print what the package has, or with `parity` the table of differences, which `readme` keeps too."""
    if arguments.readme and not arguments.parity:
        raise UserError("--readme writes the table of differences, which needs --parity too.")
    if not arguments.parity:
        show("Nets", ("net", "what it is"), [(name, _summary(name)) for name in list_models()])
        return 0
    if arguments.readme:
        between_markers(arguments.readme, "")  # a file that cannot be used is better refused before the measuring
    for name in ORACLES:
        comparison(name)  # so is a library that is not installed
    rows = [row_of(name, measure(name)) for name in track(ORACLES, "measuring", console=Console(stderr=True))]
    show("Differences, in units of the largest output or gradient", COLUMNS, rows)
    if arguments.readme:
        text = between_markers(arguments.readme, markdown(rows, arguments.readme))
        arguments.readme.write_text(text, encoding="utf-8")
    return 0


def _summary(name: str) -> str:
    return " ".join((find_model(name).__doc__ or "").partition("\n\n")[0].split())


def row_of(name: str, parity: Parity) -> Row:
    found = (
        parity.fp32_outputs, parity.fp64_outputs, parity.fp64_gradients, parity.exported, parity.onnx
    )  # fmt: skip
    return name, parity.oracle, str(parity.keys), *map(_number, found), parity.smallest


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


def markdown(rows: list[Row], readme: Path) -> str:
    """The table, with lines above it that say how it was made."""
    rows_compared = ", ".join(map(str, ROWS[:-1])) + f" and {ROWS[-1]}"
    above = (
        f"Made by `diffusion models --parity --readme {readme}` with {_versions()}. Both nets have the same random "
        "weights, loaded strictly both ways. Differences are the largest, in units of the reference's largest output "
        "or gradient: outputs in evaluation and training, gradients of all weights. The columns torch.export and ONNX "
        f"compare exports with our own net at {rows_compared} rows and three sizes, the smallest of the last column "
        "among them; torch.export is called twice in one process. – means not measured."
    )
    lines = [_line(COLUMNS), _line(("---", "---", *["---:"] * (len(COLUMNS) - 3), "---"))]
    return "\n".join([above, "", *lines, *(_line((f"`{name}`", *rest)) for name, *rest in rows)])


def _versions() -> str:
    """Of the libraries that were compared with."""
    others = [name for name in ("diffusers", "onnxruntime") if _installed(name)]
    return ", ".join([f"torch {torch.__version__}", *(f"{name} {importlib.metadata.version(name)}" for name in others)])


def _installed(name: str) -> bool:
    return bool(importlib.metadata.packages_distributions().get(name))


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
