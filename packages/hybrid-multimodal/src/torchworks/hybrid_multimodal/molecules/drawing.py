"""Molecules as pictures, by rdkit's own drawing, which needs no display: a grid of them, atoms colored by numbers."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from torchworks.shared.config import UserError
from torchworks.shared.data.smiles import quiet, rdkit_module
from torchworks.shared.runs.outputs import prepare_file, save_image

WIDTH, HEIGHT, COLUMNS = 280, 230, 4
RAISES, LOWERS = (0.25, 0.55, 0.95), (0.98, 0.6, 0.15)
"""Blue and orange, which the color-blind tell apart too."""
LEAST = 0.08
"""Shares below this part of the largest are not colored."""


@dataclass(frozen=True)
class Drawn:
    """A molecule to draw: of rdkit's class, the words below it, and the share of each atom, if it is to be colored."""

    molecule: Any
    below: str
    shares: Sequence[float] = field(default=())


def prepare_picture(file: Path, *, overwrite: bool, inputs: Sequence[Path | None] = ()) -> None:
    """Raises `UserError` for a name that is neither of a PNG nor of an SVG, and as `prepare_file` does."""
    if file.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"--out {file} must end in .png or .svg.")
    prepare_file(file, overwrite=overwrite, inputs=inputs)


def draw(drawn: Sequence[Drawn], file: Path, columns: int = COLUMNS) -> None:
    """A grid of molecules. Colors have one scale: the largest share of all is a full color."""
    columns = min(columns, len(drawn))
    size = (columns * WIDTH, -(-len(drawn) // columns) * HEIGHT)
    tools = rdkit_module("Chem.Draw.rdMolDraw2D")
    svg = file.suffix.lower() == ".svg"
    sheet = (tools.MolDraw2DSVG if svg else tools.MolDraw2DCairo)(*size, WIDTH, HEIGHT)
    options = sheet.drawOptions()
    options.legendFontSize, options.legendFraction, options.padding = 15, 0.2, 0.06
    options.drawMolsSameScale, options.fixedBondLength, options.highlightRadius = False, 34, 0.38
    options.useBWAtomPalette()
    largest = max((abs(share) for each in drawn for share in each.shares), default=0.0)
    colors = [_colors(each.shares, largest) for each in drawn]
    with quiet():
        sheet.DrawMolecules(
            [tools.PrepareMolForDrawing(each.molecule, kekulize=True) for each in drawn],
            legends=[each.below for each in drawn],
            highlightAtoms=[[*found] for found in colors],
            highlightBonds=[[] for _ in drawn],
            highlightAtomColors=colors,
        )
    sheet.FinishDrawing()
    if svg:
        _write_text(sheet.GetDrawingText(), file)
    else:
        save_image(Image.open(io.BytesIO(sheet.GetDrawingText())).convert("RGB"), file)


def _colors(shares: Sequence[float], largest: float) -> dict[int, tuple[float, float, float]]:
    """The color of each atom that has one: the nearer to white, the smaller its share."""
    found = {}
    for atom, share in enumerate(shares):
        part = abs(share) / largest if largest else 0.0
        if part >= LEAST:
            color = RAISES if share > 0 else LOWERS
            red, green, blue = (1 - part * (1 - value) for value in color)
            found[atom] = (red, green, blue)
    return found


def _write_text(text: str, file: Path) -> None:
    """Whole or not at all."""
    aside = file.with_name(f".writing-{file.name}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)
