"""An account of every file that lies in the user's data: used, or left out and why. Every reader of data gives one."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from torchworks.shared.data.files import ending, walk_names
from torchworks.shared.data.images import OTHER_IMAGES, is_image_file

PHOTOS = OTHER_IMAGES | {
    *(".mp4", ".mov", ".avi", ".nii", ".nrrd", ".mha", ".svs", ".pdf", ".zip", ".tar", ".gz", ".7z", ".rar")
}
"""Endings of files that hold images, but which are not read."""
_SHOWN = 3


class Inventory:
    """The files below `base`: those that are used (`use`), those that are left out for a reason (`leave`), and all
    others."""

    def __init__(self, base: Path, title: str = "Images that nothing names, left out"):
        self.base, self.title = base, title
        self._used: set[str] = set()
        self._left: dict[str, list[Path]] = defaultdict(list)

    def use(self, *files: Path | None) -> None:
        """Take files for accounted: they are used, or a finding of the reader names them."""
        self._used |= {_place(file) for file in files if file}

    def unused(self, files: Sequence[Path]) -> list[Path]:
        """Those of `files` that are not accounted for yet."""
        left = {_place(path) for paths in self._left.values() for path in paths}
        return [file for file in files if _place(file) not in self._used | left]

    def leave(self, reason: str, *paths: Path) -> None:
        """Leave out files, or folders with all that is in them. `reason` begins a sentence, such as: A third part."""
        if paths:
            self._left[reason] += paths

    def lines(self, folders: Sequence[Path] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(warnings, facts) on all that lies in `folders` (by default `base`): a sentence for each reason, with counts
        and the first names."""
        facts, passed, said = [], [], set(self._used)
        for reason, paths in self._left.items():
            inside = {path: [*walk_names(_place(path), passed)] if path.is_dir() else [_place(path)] for path in paths}
            said.update(*inside.values())
            facts.append(f"{reason}, left out: {_listed([self._sized(*item) for item in inside.items()])}.")
        found = {file for folder in folders or (self.base,) for file in walk_names(_place(folder), passed)}
        rest = [Path(file) for file in sorted(found - said)]
        photos = [file for file in rest if ending(file) in PHOTOS]
        images = [file for file in rest if ending(file) not in PHOTOS and is_image_file(file)]
        others = [file for file in rest if file not in {*photos, *images}]
        warnings = []
        if photos:
            text = f"Files of kinds that are not read, left out: {self._kinds(photos)}"
            warnings.append(f"{text}. Convert images among them to JPEG or PNG.")
        if images:
            warnings.append(f"{self.title}: {_listed([self._name(file) for file in images])}.")
        if names := [self._name(Path(folder)) for folder in dict.fromkeys(passed)]:
            text = "Folders without permission, or links back to a folder around them"
            warnings.append(f"{text}, left out: {_listed(names)}.")
        if others:
            facts.append(f"Other files, left out: {self._kinds(others)}.")
        return tuple(warnings), tuple(facts)

    def _kinds(self, files: Sequence[Path]) -> str:
        counts = Counter(ending(file) or "no ending" for file in files)
        kinds = ", ".join(f"{count} × {kind}" for kind, count in counts.most_common(_SHOWN))
        return f"{len(files)} ({kinds}{'…' if len(counts) > _SHOWN else ''}; {_names(map(self._name, files))})"

    def _sized(self, path: Path, files: Sequence[str]) -> str:
        return f"{self._name(path)} ({len(files)} file{'s' * (len(files) != 1)})" if path.is_dir() else self._name(path)

    def _name(self, path: Path) -> str:
        place, base = Path(_place(path)), _place(self.base)
        return place.relative_to(base).as_posix() if place.is_relative_to(base) else str(path)


def _place(file: Path) -> str:
    """What identifies a file."""
    text = os.fspath(file)
    return text if text.startswith("/") and "/." not in text else os.path.abspath(text)


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)} ({_names(names)})"


def _names(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:_SHOWN]) + ("…" if len(every) > _SHOWN else "")
