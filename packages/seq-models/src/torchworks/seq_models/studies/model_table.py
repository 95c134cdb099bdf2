"""The command `models`: the models of this package, and how far each is from the library it re-implements."""

from pathlib import Path

from rich.console import Console
from rich.progress import track

from torchworks.seq_models.models.parity import LENGTHS, ORACLES, ROWS, comparison
from torchworks.seq_models.models.registry import find_model, list_models
from torchworks.seq_models.studies.commands import Models
from torchworks.shared.config import UserError
from torchworks.shared.models.parity import measure
from torchworks.shared.models.parity_table import MEASURED, Row, between_markers, cells, made_by, markdown, show

COLUMNS = ("architecture", *MEASURED)


def print_models(arguments: Models) -> int:
    """Print what the package has, or with `parity` the table of differences, which `readme` keeps too."""
    if arguments.readme and not arguments.parity:
        raise UserError("--readme writes the table of differences, which needs --parity too.")
    if not arguments.parity:
        show("Models", ("model", "what it is"), [(name, _summary(name)) for name in list_models()])
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
    return (find_model(name).__doc__ or "").strip().partition("\n")[0]


def row_of(name: str) -> Row:
    return name, *cells(measure(comparison(name)))


def in_readme(rows: list[Row], readme: Path) -> str:
    """The table, with lines above it that say how it was made."""
    rows_compared, lengths = " and ".join(map(str, ROWS)), ", ".join(map(str, LENGTHS))
    above = (
        made_by(f"seq-models models --parity --readme {readme}", ("transformers", "onnxruntime"))
        + f" The last two columns compare exports with our own net at {rows_compared} rows and lengths of {lengths}; "
        "torch.export is called twice in one process. – means not measured."
    )
    return markdown(COLUMNS, rows, above, left=(0, 1))
