"""A user's own films: where they are, and what is said of each.

    films/jump/1.gif                 class folders of animated GIF, WebP or PNG files, or of videos (extra video), or
    films/jump/1/001.png             class folders of folders of frames, and either of them below
    films/train/…, films/test/…      if the data bring their own split, or
    films.csv                        a table

    path,label,split,group           from the table's folder, or absolute; split and group may be missing
    1.gif,jump,train,anna
    2/,run,test,bert                 a folder of frames

Films of one group, such as those of one person or of one recording, stay in one part, for a net would otherwise be
asked about what it knows. Names as UCF101 has them, `v_Jump_g01_c03.avi`, say their group.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.files import choose_parts, ending, entries, folders_in, part_named
from torchworks.shared.data.film_files import SUFFIXES
from torchworks.shared.data.images import SUFFIXES as IMAGES
from torchworks.shared.data.listing import natural, some
from torchworks.shared.data.text_tables import read_cells

_GROUP = re.compile(r"_(g\d+)_c\d+$")
FRAMES = IMAGES - {".gif", ".dcm", ".dicom", ".ima"}
"""Endings of frames."""


@dataclass(frozen=True)
class ListedFilm:
    """A film file or a folder of frames."""

    path: Path
    name: str
    """In messages."""
    label: str
    part: str = ""
    """train or test, if the data say so."""
    group: str = ""
    """What it was taken with; nothing if the data say nothing."""


@dataclass(frozen=True)
class FilmListing:
    """All films that a user names."""

    base: Path
    films: tuple[ListedFilm, ...]
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted({film.label for film in self.films}, key=natural))


def list_films(path: str) -> FilmListing:
    """The films of a folder or of a table. Raises `UserError` if there are none, or the table is wrong."""
    base = Path(path or ".").expanduser()
    if not path or not base.exists():
        near = nearest(base.name, [each.name for each in entries(base.parent)]) if base.parent.is_dir() and path else ""
        raise UserError(
            f"There is no {base if path else 'folder'}.{near} Give a folder with a folder of films for each class, or "
            "a table of them, as films:FOLDER or films:TABLE.csv."
        )
    listing = _of_folder(base) if base.is_dir() else _of_table(base)
    if not listing.films:
        raise UserError(
            f"There are no films in {base}. It should have a folder for each class, with films in it that end in "
            f"{', '.join(sorted(SUFFIXES))}, or a folder of frames for each."
        )
    return listing


def frames_in(folder: Path) -> list[Path]:
    """The frames that lie in a folder, in the order of the numbers in their names."""
    found = [path for path in entries(folder) if path.is_file() and ending(path) in FRAMES]
    return sorted(found, key=lambda path: [int(x) if x.isdecimal() else x for x in re.split(r"(\d+)", path.stem)])


def find_films(paths: list[Path]) -> tuple[list[Path], dict[Path, str]]:
    """Film files and folders of frames, in the folders given too, and what is wrong with other paths."""
    found: list[Path] = []
    bad: dict[Path, str] = {}
    for path in paths:
        if not path.is_dir():
            found.append(path)
        elif inside := _below(path):
            found += inside
        else:
            bad[path] = "there are no films in the folder"
    return found, bad


def _below(folder: Path) -> list[Path]:
    """The films in a folder: itself if it holds frames, else film files and folders of frames at any depth."""
    frames = frames_in(folder)
    if len(frames) > 1 and all(ending(path) not in (".webp", ".apng") for path in frames):
        return [folder]
    files = [path for path in entries(folder) if path.is_file() and ending(path) in SUFFIXES]
    return files + [film for inside in folders_in(folder) for film in _below(inside)]


def _group_in(name: str) -> str:
    found = _GROUP.search(name)
    return found.group(1) if found else ""


def _of_folder(base: Path) -> FilmListing:
    folders = folders_in(base)
    chosen, others = choose_parts([folder.name for folder in folders])
    parts = {part: base / name for part, name in chosen.items()} or {"": base}
    notes = [f"A further part of the split, left out: {some(others)}."] * bool(others)
    films = []
    for part, folder in parts.items():
        for inside in folders_in(folder):
            found = [film for film in _in_class(inside)]
            films += [
                ListedFilm(film, film.relative_to(base).as_posix(), inside.name, part, _group_in(film.stem))
                for film in found
            ]
            if not found:
                notes.append(f"The class folder {inside.relative_to(base)} has no films.")
        loose = [path for path in entries(folder) if path.is_file() and ending(path) in SUFFIXES]
        if loose:
            notes.append(f"Films outside the class folders, left out: {len(loose)} ({some([p.name for p in loose])}).")
    if any(film.group for film in films):
        notes.append("Names are UCF101's, whose films of one group, such as g01, stay in one part.")
    return FilmListing(base, tuple(films), tuple(notes))


def _in_class(folder: Path) -> list[Path]:
    """Film files and folders of frames in the folder of a class."""
    files = [path for path in entries(folder) if path.is_file() and ending(path) in SUFFIXES]
    return files + [film for inside in folders_in(folder) for film in _below(inside)]


# -------------------------------------------------------------------------------------------------------- tables


def _of_table(table: Path) -> FilmListing:
    if ending(table) not in (".csv", ".tsv", ".txt"):
        raise UserError(f"{table} is a file, and no table. Give a folder of films, or a table as films:TABLE.csv.")
    films, wrong = [], []
    for number, cells in read_cells(table, ("path", "label")):
        line, part = f"line {number}", part_named(cells.get("split", "train"))
        if not (cells["path"] and cells["label"] and part):
            wrong.append(line)
            continue
        path = Path(cells["path"].replace("\\", "/")).expanduser()
        path = path if path.is_absolute() else table.parent / path
        films.append(
            ListedFilm(
                path,
                f"{line}: {cells['path']}",
                cells["label"],
                part if "split" in cells else "",
                cells.get("group", "") or _group_in(path.stem),
            )
        )
    if wrong:
        raise UserError(
            f"{table} has no path, no label, or a split that is not train or test in {some(wrong)}. Correct them."
        )
    repeated = [path for path, count in Counter(film.path for film in films).items() if count > 1]
    torn = [path for path in repeated if len({film.label for film in films if film.path == path}) > 1]
    if torn:
        raise UserError(
            f"{table} gives different labels to {some([str(path) for path in torn])}. A film has one label: keep one "
            "line of each."
        )
    once = {film.path: film for film in films}
    note = [f"Films that are listed again count once: {len(repeated)} ({some([str(p) for p in repeated])})."]
    return FilmListing(table, tuple(once.values()), tuple(note * bool(repeated)))
