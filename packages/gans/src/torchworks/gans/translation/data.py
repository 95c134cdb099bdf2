"""Data of the translation jobs: two domains, or pairs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import FileDataset, Source, open_source

TWO_DOMAINS = (
    "A translation needs two domains, joined by a plus sign, such as --data digits+printed-digits or --data "
    "folder:A+folder:B"
)


def open_domains(spec: str, config: ImageConfig, seed: int = 0, needs: str = TWO_DOMAINS) -> tuple[Source, Source]:
    """The two sources of "SOURCE+SOURCE", with equally many channels; raises `UserError`, which begins with what it
    `needs`, unless there are two."""
    names = spec.split("+")
    if len(names) != 2 or not all(names):
        raise UserError(f"{needs}; '{spec}' names {sum(map(bool, names))}.")
    sources = [open_source(name, config, seed) for name in names]
    channels = [source.need("image")[0].shape[0] for source in sources]
    if channels[0] != channels[1]:
        both = replace(config, channels=max(channels))
        sources = [open_source(name, both, seed) for name in names]
    return sources[0], sources[1]


def is_paired(spec: str) -> bool:
    """Whether `spec` is a folder with the sub-folders A and B."""
    kind, _, path = spec.partition(":")
    folder = Path(path).expanduser()
    return kind == "folder" and (folder / "A").is_dir() and (folder / "B").is_dir()


def open_pairs(spec: str, config: ImageConfig, seed: int = 0) -> tuple[Source, Source]:
    """Inputs from A and wanted images from B: files of equal names (and sub-folders), in the same order, split
    alike. Raises `UserError` for inputs without a partner."""
    folder = Path(spec.partition(":")[2]).expanduser()
    a, b = (open_source(f"folder:{folder / name}", config, seed) for name in "AB")
    readable = {file.relative_to(folder / "B") for part in (b.train, b.test) for file in _files(part)}
    kept = [[name for name in _names(part, folder) if name in readable] for part in (a.train, a.test)]
    alone = [name for part in (a.train, a.test) for name in _names(part, folder) if not (folder / "B" / name).exists()]
    if alone or not all(kept):
        some = ", ".join(str(name) for name in alone[:5])
        raise UserError(
            f"Each image in {folder / 'A'} needs a partner of the same name in {folder / 'B'}, but {len(alone)} have "
            f"none: {some}. Rename or remove them; at least two pairs must be left."
        )
    return _paired(a, folder / "A", kept), _paired(b, folder / "B", kept)


def _paired(source: Source, folder: Path, names: list[list[Path]]) -> Source:
    train, test = (FileDataset([folder / name for name in part], None, source.schema) for part in names)
    return Source(source.name, source.licence, train, test, source.schema, source.fingerprint, source.notes)


def _files(dataset: Any) -> list[Path]:
    return dataset.files


def _names(dataset: Any, folder: Path) -> list[Path]:
    return [file.relative_to(folder / "A") for file in _files(dataset)]
