"""The command `sample`: grids, single files and films of new images."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.diffusion.images.commands import Drawing, Sample
from torchworks.diffusion.images.predictor import Drawer, open_drawer
from torchworks.diffusion.process.config import SamplingConfig
from torchworks.shared.config import UserError
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.runs.opening import CHUNK
from torchworks.shared.runs.outputs import file_name, picture, prepare, progress, save_film, save_image

MOST_IN_GRID, MOST_FILES, MOST_FILMED = 1024, 1_000_000, 100
AT_ONCE = 16 * CHUNK
PAUSE = 8
"""How many times the last frame of a film is shown."""


def sample(arguments: Sample) -> int:
    """Draw what `arguments` ask for and print the paths written."""
    check_arguments(arguments)
    drawer = with_drawing(open_drawer(arguments.run, arguments.device), arguments.drawing)
    if arguments.prompt:
        raise UserError(
            f"{arguments.run} is a run of {drawer.run.config.recipe}, which knows no captions. Leave out --prompt."
        )
    labels = _labels(drawer, arguments)
    folder = arguments.out or arguments.run / "generated"
    names = _names(arguments, labels, drawer.classes)
    prepare(folder, names, overwrite=arguments.overwrite or arguments.out is None)
    columns = arguments.columns or columns_of(arguments.n, len(arguments.labels or drawer.classes))
    if arguments.film:
        write_film(drawer, arguments, labels, columns, folder / names[0])
        print(folder / names[0])
    kept = []
    for rows in progress(parts_of(arguments.n), "drawing", -(-arguments.n // AT_ONCE)):
        asked = None if labels is None else labels[rows.start : rows.stop]
        images = to_bytes(drawer.draw(arguments.seed, rows, asked))
        if not arguments.no_grid:
            kept.append(images)
        if arguments.files:
            for image, name in zip(images, names[-arguments.n :][rows.start : rows.stop], strict=True):
                save_image(picture(image), folder / name)
    if kept:
        path = folder / f"grid-seed{arguments.seed}.png"
        save_image(picture(picture_grid(torch.cat(kept) / 255, columns)), path)
        print(path)
    if arguments.files:
        print(f"{folder} ({arguments.n} images)")
    return 0


def with_drawing(drawer: Drawer, drawing: Drawing) -> Drawer:
    """`drawer` with what `drawing` says in place of what the run was trained with. Raises `UserError` for what is out
    of limits."""
    if drawing.guidance is not None and not drawer.classes:
        raise UserError(
            f"{drawer.run.folder} has no classes, so there is nothing for --guidance to strengthen. Leave it out."
        )
    return Drawer(drawer.run, changed(drawer.sampling, drawing, drawer.predictor.process.chain))


def changed(sampling: SamplingConfig, drawing: Drawing, most: int) -> SamplingConfig:
    """`sampling` with what `drawing` says. Raises `UserError` for what is out of limits, or more steps than `most`."""
    given = {name: value for name, value in dataclasses.asdict(drawing).items() if value is not None}
    if given.get("steps", 1) > most:
        raise UserError(f"--steps is {given['steps']}; more than {most} gain nothing.")
    return dataclasses.replace(sampling, **given)


def to_bytes(images: Tensor) -> Tensor:
    """[-1, 1] → uint8, clipped."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def parts_of(n: int) -> Iterator[range]:
    """`range(n)` in parts of `AT_ONCE`."""
    return (range(start, min(start + AT_ONCE, n)) for start in range(0, n, AT_ONCE))


def check_arguments(arguments: Sample) -> None:
    most = MOST_FILMED if arguments.film else MOST_FILES if arguments.no_grid else MOST_IN_GRID
    if not 1 <= arguments.n <= most:
        more = " Add --no-grid --files for more of them." if most == MOST_IN_GRID and arguments.n > most else ""
        raise UserError(f"--n is {arguments.n}; it must be from 1 to {most:,}.{more}")
    if arguments.no_grid and not (arguments.files or arguments.film):
        raise UserError("With --no-grid and without --files or --film there is nothing to write. Add one of them.")
    if arguments.columns is not None and arguments.columns < 1:
        raise UserError(f"--columns is {arguments.columns}; it must be at least 1.")


def _labels(drawer: Drawer, arguments: Sample) -> Tensor | None:
    """The class of each image, (N,): the classes asked for, in turn."""
    wanted = drawer.class_indices(arguments.labels)
    return torch.tensor(wanted)[torch.arange(arguments.n) % len(wanted)] if wanted else None


def _names(arguments: Sample, labels: Tensor | None, classes: tuple[str, ...]) -> list[str]:
    """The files to write; the film first, if there is one, then the grid."""
    seed = f"seed{arguments.seed}"
    kinds = [""] * arguments.n if labels is None else [f"-{file_name(classes[label])}" for label in labels.tolist()]
    film = [f"film-{seed}.gif"] if arguments.film else []
    grid = [] if arguments.no_grid else [f"grid-{seed}.png"]
    return film + grid + ([f"{seed}-{i:05d}{kind}.png" for i, kind in enumerate(kinds)] if arguments.files else [])


def columns_of(n: int, kinds: int) -> int:
    """One column for each of a few classes, else nearly a square."""
    return kinds if 4 <= kinds <= 16 else math.ceil(math.sqrt(n))


def write_film(drawer: Any, arguments: Sample, asked: Any, columns: int, path: Path) -> None:
    """A film of what `drawer` draws of `asked`, a frame for each step: x, which is noise at first, and the image that
    the net predicts."""
    side = 64 if arguments.n <= 36 else 32
    frames: list[Tensor] = []

    def keep(step: int, x: Tensor, image: Tensor) -> None:
        both = (drawer.predictor.images_of(each).clamp(-1, 1) / 2 + 0.5 for each in (x, image))
        shown = [picture_grid(each, columns, min_side=side) for each in both]
        frames.append(torch.cat([shown[0], torch.full_like(shown[0][:, :, :8], 255), shown[1]], dim=2))

    drawer.draw(arguments.seed, range(arguments.n), asked, callback=keep)
    save_film(path, frames + frames[-1:] * PAUSE, milliseconds=120)
