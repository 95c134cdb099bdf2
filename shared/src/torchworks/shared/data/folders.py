"""A user's own images: folders of them.

flowers/rose/1.jpg             class sub-folders (deeper folders belong to their class), or
flowers/1.jpg                  a flat folder: images without labels, and either of them below
flowers/train/…, flowers/test/…    (or val) if the data bring their own split.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data.images import SUFFIXES
from torchworks.shared.data.listing import HELD_OUT, Listing, is_hidden, natural, open_listing, some
from torchworks.shared.data.source import Source


def open_folder(path: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` if there is no folder, no image in it, or (without skip_bad) an unreadable one."""
    config = ImageConfig.of(config, "folder")
    return open_listing(list_folder(path), config, seed)


def list_folder(path: str) -> Listing:
    """The images below `path`, in the order of their names."""
    base = Path(path).expanduser()
    _check_folder(base)
    found: list[tuple[str, str, Path]] = []  # part, class, file
    notes: list[str] = []
    for part, folder in _parts(base).items():
        labelled, flat, empty = _contents(folder)
        notes += [f"The class folder {folder / name} has no images." for name in empty]
        if labelled and flat:
            notes.append(f"Images directly in {folder}, outside its class folders, were left out: {len(flat)}.")
        found += [(part, name, file) for name, file in labelled or [("", file) for file in flat]]
    if not found:
        raise UserError(_nothing_in(base))
    _check_parts(base, found)
    classes = sorted({name for _, name, _ in found} - {""}, key=natural)
    return Listing(
        base=base,
        files=[file for _, _, file in found],
        names=[file.relative_to(base).as_posix() for _, _, file in found],
        labels=[classes.index(name) if name else 0 for _, name, _ in found],
        classes=tuple(classes),
        parts=[part for part, _, _ in found] if found[0][0] else [],
        notes=tuple(notes),
    )


def _check_folder(base: Path) -> None:
    try:
        if base.is_dir():
            return
        exists = base.exists()
    except PermissionError:
        raise UserError(f"Permission denied: {base}.") from None
    if not exists:
        near = nearest(base.name, _names(base.parent)) if base.parent.is_dir() else ""
        raise UserError(f"There is no folder {base}.{near} Give the path of a folder of images, as folder:PATH.")
    hint = {".csv": f" Use csv:{base} for a table of images.", ".zip": " Unpack it first."}
    raise UserError(f"{base} is a file, not a folder of images.{hint.get(base.suffix.lower(), '')}")


def _names(folder: Path) -> list[str]:
    """What is in a folder, without hidden things, in order."""
    try:
        return sorted(name for name in os.listdir(folder) if not is_hidden(name))
    except PermissionError:
        raise UserError(f"Permission denied: {folder}.") from None


def _parts(base: Path) -> dict[str, Path]:
    """The folders of a split that the data bring, else the folder itself for ''."""
    folders = [name for name in _names(base) if (base / name).is_dir()]
    held_out = [name for name in folders if name.lower() in HELD_OUT]
    train = [name for name in folders if name.lower() == "train"]
    if not train or not held_out or len(folders) > len(train) + len(held_out):
        return {"": base}
    chosen = min(held_out, key=lambda name: HELD_OUT.index(name.lower()))
    return {"train": base / train[0], "test": base / chosen}


def _contents(folder: Path) -> tuple[list[tuple[str, Path]], list[Path], list[str]]:
    """(class, file) pairs, files without a class, and class folders without images."""
    entries = [folder / name for name in _names(folder)]
    inside = {entry.name: list(_images_below(entry)) for entry in entries if entry.is_dir()}
    flat = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in SUFFIXES]
    labelled = [(name, file) for name in sorted(inside, key=natural) for file in inside[name]]
    return labelled, flat, [name for name, files in inside.items() if not files]


def _images_below(folder: Path) -> Iterator[Path]:
    for name in _names(folder):
        entry = folder / name
        if entry.is_dir() and not entry.is_symlink():
            yield from _images_below(entry)
        elif entry.suffix.lower() in SUFFIXES:
            yield entry


def _nothing_in(base: Path) -> str:
    kinds = Counter(file.suffix.lower() or "no ending" for file in base.rglob("*") if file.is_file())
    what = "It is empty." if not kinds else f"It has {some([f'{n} × {kind}' for kind, n in kinds.most_common()])}."
    return (
        f"There are no images in the folder {base}. {what} Images are known by their ending: "
        f"{', '.join(sorted(SUFFIXES))}."
    )


def _check_parts(base: Path, found: list[tuple[str, str, Path]]) -> None:
    """A split that the data bring must have images in both parts, and class folders in both or neither."""
    parts = {part for part, _, _ in found}
    if len(parts) == 1 and parts != {""}:
        raise UserError(f"Only the part '{parts.pop()}' of {base} has images; the other folder is empty.")
    if len({bool(name) for _, name, _ in found}) > 1:
        raise UserError(f"One of train and test in {base} has class folders and the other is flat; make them alike.")
