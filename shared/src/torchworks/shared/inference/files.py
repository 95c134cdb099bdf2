"""The one loop over image files, for every command that predicts: find the images, read them a chunk at a time, print a
line for each, write a table and drawings, and name at the end those that could not be read.

    predict_files(
        arguments.images,
        read=lambda path: letterboxed(path, run),    # raises `Unreadable`
        predict=lambda images: [Prediction("1 object", rows=[["car", 0.9]], drawing=...) for image in images],
        columns=["label", "score"],
        table=arguments.csv,
        drawings=folder,
    )

A command that needs all images at once, or writes something else, takes `ImageFiles` by itself.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images
from torchworks.shared.data.listing import some
from torchworks.shared.runs.outputs import file_name, make_folder, prepare, prepare_file, progress, save_image

T = TypeVar("T")

CHUNK = 64
"""Images that are held and computed at once."""
MOST_NAMED = 20
"""Unreadable images that the error names."""


@dataclass(frozen=True)
class Prediction:
    """What a command says about one image."""

    line: str
    """Printed after the path of the image."""
    rows: Sequence[Sequence[Any]] = ()
    """Rows of the table, without the path that each begins with."""
    drawing: Image.Image | None = None
    """Saved as PNG in the folder of drawings, if there is one."""


class ImageFiles:
    """The image files that a user named, or that lie in folders that a user named.

    `names` are the image files and the name of each within the folder that was given. `bad` says why others cannot be
    used; reading adds to it.
    """

    def __init__(self, paths: Iterable[Path]):
        self.names, self.bad = find_images(paths)

    def chunks(self, read: Callable[[Path], T], size: int = CHUNK) -> Iterator[dict[Path, T]]:
        """What `read` makes of the images, in order, at most `size` at once. Files for which it raises `Unreadable` are
        left out."""
        paths = list(self.names)
        starts = range(0, len(paths), size)
        for start in progress(starts, "reading images", len(starts)):
            images: dict[Path, T] = {}
            for path in paths[start : start + size]:
                try:
                    images[path] = read(path)
                except Unreadable as error:
                    self.bad[path] = str(error)
            if images:
                yield images

    def read(self, read: Callable[[Path], T]) -> dict[Path, T]:
        """What `read` makes of all images."""
        return {path: image for chunk in self.chunks(read) for path, image in chunk.items()}

    def refuse_bad(self) -> None:
        """Raise `UserError` that names the files that could not be used. Call it when all others are done."""
        if self.bad:
            named = some([f"{path} ({why})" for path, why in self.bad.items()], MOST_NAMED)
            raise UserError(f"{len(self.bad)} of the images could not be used and were left out: {named}.")


def predict_files(
    paths: Iterable[Path],
    read: Callable[[Path], T],
    predict: Callable[[list[T]], Iterable[Prediction]],
    *,
    columns: Sequence[str],
    table: Path | None = None,
    drawings: Path | None = None,
    overwrite: bool = False,
    replaced: bool = False,
    chunk: int = CHUNK,
) -> None:
    """Print a line for each image, write a CSV `table` with the given `columns` after that of the path, and the
    `drawings` into a folder, whose path is printed last.

    Files that are there are replaced with `overwrite`, drawings also if they are `replaced` anyway, in the run's own
    folder. `predict` gets what `read` made of up to `chunk` images, and returns a `Prediction` for each. Raises
    `UserError` that names the images that could not be read, once all others are done.
    """
    files = ImageFiles(paths)
    if table is not None:
        prepare_file(table, overwrite=overwrite, inputs=list(files.names), option="--csv")
    places = drawing_files(files.names, drawings, overwrite or replaced) if drawings is not None else {}
    said: dict[Path, Prediction] = {}
    for images in files.chunks(read, chunk):
        for path, prediction in zip(images, predict(list(images.values())), strict=True):
            if prediction.drawing is not None and path in places:
                save_image(prediction.drawing, places[path])
            said[path] = Prediction(prediction.line, prediction.rows)
    print_lines({path: prediction.line for path, prediction in said.items()})
    if table is not None:
        rows = ([path, *row] for path, prediction in said.items() for row in prediction.rows)
        write_table(table, ["path", *columns], rows)
    if drawings is not None:
        print(drawings)
    files.refuse_bad()


def drawing_files(files: dict[Path, Path], folder: Path, overwrite: bool) -> dict[Path, Path]:
    """A PNG file in `folder`, which is made, for each image. Raises `UserError` if it would replace an image that is to
    be read, or, without `overwrite`, any file."""
    make_folder(folder)
    places: dict[Path, Path] = {}
    taken: set[Path] = set()
    for path, name in files.items():
        place = folder / f"{file_name(str(name.with_suffix('')))}.png"
        if place in taken:  # of a name that another folder or format has too
            place = folder / f"{file_name(str(path))}.png"
        taken.add(place)
        places[path] = place
    read = {path.resolve() for path in files}
    if clash := [place for place in places.values() if place.resolve() in read]:
        raise UserError(f"{clash[0]} is one of the images to read, and would be replaced. Choose another --out.")
    prepare(folder, [place.name for place in places.values()], overwrite=overwrite)
    return places


def print_lines(lines: dict[Path, str]) -> None:
    """A line for each image, aligned after its path."""
    width = max((len(str(path)) for path in lines), default=0)
    for path, line in lines.items():
        print(f"{path!s:<{width}}  {line}")


def write_table(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV file."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(head)
        table.writerows(rows)
