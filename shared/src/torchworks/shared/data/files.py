"""A user's files and folders: which there are, and what their names mean. Every reader of data compares names by this.

Names are compared as they stand and, where that finds nothing, without regard to case and to the two ways in which
Unicode writes an accent (macOS stores another one than Windows and Linux), then with the codes of web tools, such as
my%20photo. Paths may be written with `/` or `\\`.
Hidden files and those that systems leave behind are not the user's. Links are followed.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from torchworks.shared.config import UserError
from torchworks.shared.data.decoding import as_utf8, content_of, decoded, name_of

TRAIN = ("train", "training", "trainset", "trainval")
"""What a part for training may be called, the first of them if there are several."""
HELD_OUT = (
    *("test", "testing", "testset", "val", "valid", "validation", "validate", "dev"),
    *("eval", "evaluate", "evaluation", "holdout", "heldout"),
)
"""What a part for testing may be called, the first of them if there are several."""
_FILLERS = {"", "set", "data", "dataset", "split", "part", "folder", "images", "image", "imgs", "img", "files"}
_SYSTEM = {
    *("thumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "lost+found", "#recycle", "@eadir"),
    *("__pycache__", "ehthumbs.db", "icon\r"),
}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is the system's, not the user's."""
    return name.startswith((".", "__MACOSX", "~$")) or name.lower() in _SYSTEM


def key(name: str) -> str:
    """What two names share that differ in case, or in how Unicode writes their accents, alone."""
    return unicodedata.normalize("NFC", name).casefold()


def ending(path: Path) -> str:
    return path.suffix.lower()


def alike(names: Iterable[str]) -> list[str]:
    """Names that differ in case, spaces or the writing of accents alone, such as `Cat = cat`."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups["".join(key(name).split())].append(name)
    return [" = ".join(group) for group in groups.values() if len(group) > 1]


# -------------------------------------------------------------------------------------------------------- parts


def words_of(name: str) -> list[str]:
    """The words of a name in small letters, `hold-out` as one."""
    text = re.sub(r"(?i)(hold|held)[^a-z]*out", "holdout", name)
    return [word for word in re.split(r"[^a-z]+", text.lower()) if word]


def part_named(name: str) -> str:
    """`train` or `test` if a folder or list of this name is a part of a split and nothing else, such as `Training`,
    `val2017` or `test_set`; else nothing."""
    words = [word for word in words_of(name) if word not in _FILLERS]
    return part_of(name) if len(words) == 1 else ""


def part_of(*names: str) -> str:
    """`train` or `test` if one of the words in `names` says so, else nothing."""
    words = [word for name in names for word in words_of(name)]
    if any(word in TRAIN for word in words):
        return "train"
    return "test" if any(word in HELD_OUT for word in words) else ""


def choose_parts(names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """(the name of each part, names of parts that are not used), by the order of `TRAIN` and `HELD_OUT`: of `train`,
    `val` and `test`, or of names that have one thing more in common, such as `seg_train` and `seg_test`. A set without
    both parts has none."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in names:
        if part_of(name):
            groups[tuple(word for word in words_of(name) if word not in (*TRAIN, *HELD_OUT, *_FILLERS))].append(name)
    whole = [group for group in groups.items() if {part_of(name) for name in group[1]} == {"train", "test"}]
    if () in dict(whole):
        whole = [((), groups[()])]
    if len(whole) != 1:
        return {}, []
    group = whole[0][1]
    chosen = {}
    for part, order in (("train", TRAIN), ("test", HELD_OUT)):
        found = [name for name in group if part_of(name) == part]
        chosen[part] = min(found, key=lambda name: _rank(name, order))
    return chosen, [name for name in group if name not in chosen.values()]


def choose_labelled(
    names: Sequence[str], has_labels: Callable[[str], bool]
) -> tuple[dict[str, str], list[str], list[str]]:
    """The same among parts for testing that have labels, and the names of those that have none, as in competitions. If
    no part for testing is left, the one for training is '', which is then split."""
    chosen, others = choose_parts(names)
    bare = [name for name in (*chosen.values(), *others) if part_of(name) == "test" and not has_labels(name)]
    if not bare:
        return chosen, others, []
    left, others = choose_parts([name for name in names if name not in bare])
    return left or {"": chosen["train"]}, others, bare


def _rank(name: str, order: Sequence[str]) -> int:
    return min((order.index(word) for word in words_of(name) if word in order), default=len(order))


# ------------------------------------------------------------------------------------------------- what there is


def entries(folder: Path) -> list[Path]:
    """What is in a folder, without hidden things, by name. Raises `UserError` without permission."""
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if not is_hidden(name)]
    except PermissionError:
        raise UserError(f"Permission denied: {folder}.") from None


def folders_in(folder: Path) -> list[Path]:
    return [entry for entry in entries(folder) if entry.is_dir()]


def walk(folder: Path) -> Iterator[Path]:
    """All files below a folder, by name. Links are followed, but not those that lead back to a folder they lie in.
    Raises `UserError` without permission."""
    return map(Path, walk_names(os.fspath(folder)))


def walk_names(folder: str, passed: list[str] | None = None, above: frozenset[str] = frozenset()) -> Iterator[str]:
    """The same as texts, which takes half the time. With a list `passed` it goes on without permission, and adds to the
    list what it passed over."""
    real = os.path.realpath(folder)
    around = above | {os.path.realpath(os.path.dirname(folder))} if os.path.islink(folder) else above
    inside: list[os.DirEntry[str]] = []
    passed_over = any(f"{outer}{os.sep}".startswith(f"{real}{os.sep}") for outer in around)
    try:
        if not passed_over:
            with os.scandir(folder) as scanned:
                inside = sorted((entry for entry in scanned if not is_hidden(entry.name)), key=lambda entry: entry.name)
    except PermissionError:
        if passed is None:
            raise UserError(f"Permission denied: {folder}.") from None
        passed_over = True
    if passed_over and passed is not None:
        passed.append(folder)
    for entry in inside:
        if entry.is_dir():
            yield from walk_names(entry.path, passed, above | {real})
        else:
            yield entry.path


def tails(written: str) -> Iterator[str]:
    """A path as a file of labels writes it, with `/`, then without its first folder, and so on to the name alone."""
    path = re.sub(r"^[A-Za-z]:", "", written.strip().replace("\\", "/"))
    steps = [step for step in path.split("/") if step not in ("", ".")]
    for start in range(len(steps)):
        yield "/".join(steps[start:])


class Finder:
    """Finds files in folders by names that may differ from those on the disk in case, accents or separators. It looks
    into a folder once."""

    def __init__(self):
        self._names: dict[Path, _Grouped] = {}
        self._stems: dict[Path, _Grouped] = {}

    def find(self, folder: Path, written: str) -> Path | None:
        """The file or folder `written` below `folder`: as it stands, else alike."""
        here: Path | None = folder
        for step in written.strip().replace("\\", "/").split("/"):
            if here is None:
                return None
            if step not in ("", "."):
                here = self._step(here, step)
        return here

    def _step(self, folder: Path, name: str) -> Path | None:
        exact = folder / name
        if _exists(exact):
            return exact
        if folder not in self._names:
            self._names[folder] = _Grouped(folder, lambda path: path.name)
        like = self._names[folder].like(name)
        return like[0] if len(like) == 1 else None

    def located(self, folders: Sequence[Path], written: str) -> Path | None:
        """The file that labels call `written`: where that leads, in one of `folders`, or there under its last folders
        or its name alone, as labels from other machines want it."""
        if os.path.isabs(written) and os.path.isfile(written):
            return Path(written)
        plain = unquote(written)  # exports of web tools write my%20photo.jpg
        tried = dict.fromkeys((written, *tails(written), plain, *tails(plain)))
        found = (self.find(folder, path) for path in tried for folder in folders)
        return next((file for file in found if file and file.is_file()), None)

    def partners(self, folder: Path, stem: str, marks: Sequence[str], endings: Sequence[str]) -> list[Path]:
        """The files in `folder` that are called `stem` with the first of `marks` that there is and one of `endings`,
        in the order of those."""
        if folder not in self._stems:
            self._stems[folder] = _Grouped(folder, lambda path: path.stem)
        for mark in marks:
            like = [file for file in self._stems[folder].like(stem + mark) if ending(file) in endings]
            if files := [file for file in like if file.stem == stem + mark] or like:
                return sorted(files, key=lambda file: endings.index(ending(file)))
        return []


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no permission, or no possible name
        return False


class _Grouped:
    """What is in a folder, by names that may be written in other ways."""

    def __init__(self, folder: Path, name_of: Callable[[Path], str]):
        self._alike: dict[str, list[Path]] = defaultdict(list)
        self._plain: dict[str, list[Path]] = defaultdict(list)
        for entry in entries(folder) if folder.is_dir() else []:
            self._alike[key(name_of(entry))].append(entry)
            self._plain[key(unquote(name_of(entry)))].append(entry)

    def like(self, name: str) -> list[Path]:
        """Files of this name, in any case; else of the name that web tools write with codes, as my%20photo."""
        return self._alike.get(key(name)) or self._plain.get(key(unquote(name)), [])


# --------------------------------------------------------------------------------------------------------- texts


def read_text(file: Path) -> str:
    """A text in UTF-8, or in UTF-16 with its mark, without the mark. Raises `UserError` for other encodings, and for
    what is no text; what cannot be read at all raises as `Path.read_bytes` does."""
    return decoded(as_utf8(content_of(file), name_of(file)), name_of(file))


def read_lines(file: Path) -> list[str]:
    """The lines of a text, without spaces around them and without empty ones; raises as `read_text` does."""
    return [line.strip() for line in read_text(file).splitlines() if line.strip()]
