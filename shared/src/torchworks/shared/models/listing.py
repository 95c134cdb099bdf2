"""The command `models`: the nets of a package, and how far each is from the library that has it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from torchworks.shared.config import UserError
from torchworks.shared.models.commands import Models
from torchworks.shared.models.parity import Comparison, find_comparison, measure
from torchworks.shared.models.parity_table import MEASURED, Row, between_markers, cells, made_by, markdown, show


@dataclass(frozen=True)
class NetList:
    """What the command prints for the package whose program is `program`, such as "diffusion"."""

    program: str
    nets: Mapping[str, Callable[[], type]]
    """By name, what gives the class of each net; its docstring says what it is."""
    oracles: Mapping[str, str]
    """As `find_comparison` takes them."""
    libraries: tuple[str, ...]
    """Whose versions the table states."""
    exports: str
    """The sentence on how the columns torch.export and ONNX were made."""
    smallest: Callable[[Comparison], str] | None = None
    """The last column: the smallest size that a net is exported for."""

    def print(self, arguments: Models) -> int:
        """Print what the package has, or with `parity` the table of differences, which `readme` keeps too."""
        if arguments.readme and not arguments.parity:
            raise UserError("--readme writes the table of differences, which needs --parity too.")
        if not arguments.parity:
            show("Nets", ("net", "what it is"), [(name, _summary(made())) for name, made in self.nets.items()])
            return 0
        if arguments.readme:
            between_markers(arguments.readme, "")  # a file that cannot be used is better refused before the measuring
        for name in self.oracles:
            find_comparison(name, self.oracles)  # so is a library that is not installed
        rows = [self.row_of(name) for name in track(self.oracles, "measuring", console=Console(stderr=True))]
        show("Differences, in units of the largest output or gradient", self.columns, rows)
        if arguments.readme:
            text = between_markers(arguments.readme, self.in_readme(rows, arguments.readme))
            arguments.readme.write_text(text, encoding="utf-8")
        return 0

    @property
    def columns(self) -> Row:
        return ("net", *MEASURED, *(["exported for"] if self.smallest else []))

    def row_of(self, name: str) -> Row:
        found = find_comparison(name, self.oracles)
        return name, *cells(measure(found)), *([self.smallest(found)] if self.smallest else [])

    def in_readme(self, rows: list[Row], readme: Path) -> str:
        """The table, with lines above it that say how it was made."""
        command = f"{self.program} models --parity --readme {readme}"
        above = f"{made_by(command, self.libraries)} {self.exports} – means not measured."
        words = (0, 1, len(self.columns) - 1) if self.smallest else (0, 1)
        return markdown(self.columns, rows, above, left=words)


def _summary(net: type) -> str:
    """The first paragraph of its docstring."""
    return " ".join((net.__doc__ or "").partition("\n\n")[0].split()).removesuffix(":")
