"""Images in the user's folders, by the part (train, test) in the folders' names."""

import re
from collections.abc import Sequence
from pathlib import Path

from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.images import SUFFIXES
from torchworks.shared.data.listing import HELD_OUT, is_hidden


def base_folder(kind: str, path: str) -> Path:
    """The folder `path`; raises `UserError` if there is none."""
    base = Path(path).expanduser()
    if not path or not base.exists():
        around = [entry.name for entry in base.parent.iterdir()] if path and base.parent.is_dir() else []
        raise UserError(f"There is no folder {base}.{nearest(base.name, around)} Give its path, as {kind}:PATH.")
    return base


def part_of(*names: str) -> str:
    """`train` or `test` if one of the words in `names` says so, else nothing."""
    words = [word for name in names for word in re.split(r"[^a-z]+", name.lower())]
    if "train" in words:
        return "train"
    return "test" if any(word in HELD_OUT for word in words) else ""


def image_folders(base: Path) -> dict[str, Path]:
    """The folders of images by part: images/train and images/val, train/images and val/images, or images alone."""
    images = base / "images"
    for above, below in ((images, ""), (base, "images")):
        folders = _parts(above)
        if len(folders) == 2 and all((folder / below).is_dir() for folder in folders.values()):
            return {part: folder / below for part, folder in folders.items()}
    if images.is_dir():
        return {"": images}
    raise UserError(
        f"The folder {base} has no folder 'images' (nor train/images and val/images) to look for images in."
    )


def _parts(above: Path) -> dict[str, Path]:
    """The sub-folders for training and for testing, by the first name of `HELD_OUT` that there is."""
    names = {entry.name.lower(): entry for entry in above.iterdir() if entry.is_dir()} if above.is_dir() else {}
    held_out = [names[name] for name in HELD_OUT if name in names]
    return {"train": names["train"], "test": held_out[0]} if "train" in names and held_out else {}


def images_below(folder: Path) -> list[Path]:
    """Image files in a folder and the folders in it, in the order of their names."""
    files = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    return sorted(file for file in files if not any(is_hidden(name) for name in file.relative_to(folder).parts))


def beside(images: Path, name: str) -> Path:
    """The folder of labels for a folder of images: the same path with its last `images` as `name`."""
    parts = list(images.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = name
    return Path(*parts)


def partner(folder: Path, stem: str, endings: Sequence[str]) -> Path | None:
    """The file `stem` with one of `endings` in `folder`."""
    return next((found for ending in endings if (found := folder / f"{stem}{ending}").is_file()), None)


def read_names(base: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Class names, one a line, from the first of `files` that `base` has; nothing if it has none."""
    for name in files:
        if (base / name).is_file():
            lines = (base / name).read_text(errors="replace").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
    return ()


def shown(file: Path, base: Path) -> str:
    """How messages call a file."""
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else str(file)
