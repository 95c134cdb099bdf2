"""The command `models`: the nets of this package, and how far each is from the library that has it."""

from pathlib import Path

from rich.console import Console
from rich.progress import track

from torchworks.diffusion.models.commands import Models
from torchworks.diffusion.models.parity import ORACLES, ROWS, comparison
from torchworks.diffusion.models.registry import find_model, list_models
from torchworks.shared.config import UserError
from torchworks.shared.models.parity import measure
from torchworks.shared.models.parity_table import MEASURED, Row, between_markers, cells, made_by, markdown, show

COLUMNS = ("net", *MEASURED, "exported for")


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
    rows = [row_of(name) for name in track(ORACLES, "measuring", console=Console(stderr=True))]
    show("Differences, in units of the largest output or gradient", COLUMNS, rows)
    if arguments.readme:
        text = between_markers(arguments.readme, in_readme(rows, arguments.readme))
        arguments.readme.write_text(text, encoding="utf-8")
    return 0


def _summary(name: str) -> str:
    return " ".join((find_model(name).__doc__ or "").partition("\n\n")[0].split())


def row_of(name: str) -> Row:
    found = comparison(name)
    return name, *cells(measure(found)), found.smallest


def in_readme(rows: list[Row], readme: Path) -> str:
    """The table, with lines above it that say how it was made."""
    rows_compared = ", ".join(map(str, ROWS[:-1])) + f" and {ROWS[-1]}"
    above = (
        made_by(f"diffusion models --parity --readme {readme}", ("diffusers", "onnxruntime"))
        + f" The columns torch.export and ONNX compare exports with our own net at {rows_compared} rows and three sizes"
        ", the smallest of the last column among them; torch.export is called twice in one process. – means not "
        "measured."
    )
    return markdown(COLUMNS, rows, above, left=(0, 1, len(COLUMNS) - 1))
