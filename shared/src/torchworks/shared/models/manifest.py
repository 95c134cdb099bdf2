"""What is written down about a saved model: its files and their hashes, its signature, what it was made from.

`Manifest` is the content of `model.json`; `predictor.py` beside this file writes it and rebuilds the model. Imports
no torch, so that a service can read it without.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from torchworks.shared.config import UserError, from_dict
from torchworks.shared.models.generation import GenerationSpec
from torchworks.shared.models.signature import Signature, check_name

FORMAT = 1
MANIFEST, WEIGHTS, GOLDEN, SAMPLES = "model.json", "model.safetensors", "golden.safetensors", "samples.safetensors"
TAKEN = (MANIFEST, WEIGHTS, GOLDEN, SAMPLES, "config.json", "serving.json", "reference.json", "parity.md")
"""Names that runs and bundles give to files of their own, in lower case."""
RESTORE = "Restore it from a copy, or make it again."


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class FileEntry:
    """A file beside `model.json`."""

    name: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        check_name("file name", self.name.lower())  # a path could name a file outside the folder

    @classmethod
    def of(cls, path: Path) -> "FileEntry":
        """Of a file that is there."""
        return cls(path.name, path.stat().st_size, sha256(path))

    def verify(self, folder: Path, manifest: str = MANIFEST) -> None:
        """Raise `UserError` unless the file in `folder` is the one that the file `manifest` there names."""
        path = folder / self.name
        if not path.is_file():
            raise UserError(f"{path} is missing, though {manifest} names it. {RESTORE}")
        try:
            same = path.stat().st_size == self.bytes and sha256(path) == self.sha256
        except OSError as error:
            raise unreadable(path, error) from error
        if not same:
            raise UserError(
                f"{path} is not the file that was saved: its SHA-256 differs from the one in {manifest}. "
                f"It was cut short or changed. {RESTORE}"
            )


@dataclass(frozen=True)
class DataEntry:
    """A data set and its licence."""

    name: str
    licence: str


@dataclass(frozen=True)
class Manifest:
    """The content of `model.json`.

    `config` is the builder's; `preprocessing` says in plain data what the predictor does to its inputs; `labels`
    are class names; `data` is what it was trained on; the golden example replays within `tolerance`, absolute plus
    relative, in float32 on a CPU. `generation` is set for a model that generates text.
    """

    format: int
    package: str
    recipe: str
    builder: str
    config: dict
    signature: Signature
    preprocessing: dict
    labels: tuple[str, ...]
    tolerance: float
    torch: str
    files: tuple[FileEntry, ...]
    data: tuple[DataEntry, ...] = ()
    generation: GenerationSpec | None = None

    @property
    def extra(self) -> tuple[FileEntry, ...]:
        """The files that the model was saved with besides, such as a tokenizer."""
        return tuple(entry for entry in self.files if entry.name not in (WEIGHTS, GOLDEN, SAMPLES))

    def __post_init__(self) -> None:
        for field in ("package", "recipe", "builder"):
            check_name(field, getattr(self, field))


def read_manifest(folder: Path) -> Manifest:
    """`model.json` of `folder`; raises `UserError` if it is missing, damaged or of a newer format."""
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"There is no model in {folder}: it has no {MANIFEST}. Name the directory of a finished run."
        ) from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    found = values.get("format") if isinstance(values, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise UserError(f"{path} has format {found}, but this version reads format {FORMAT}: update Torchworks.")
    return from_dict(Manifest, values, where=f"file {path}")


def unreadable(path: Path, error: Exception) -> UserError:
    """What to say of a file that is there and cannot be read."""
    if isinstance(error, PermissionError):
        return UserError(
            f"{path} may not be read by this user: let its owner allow it by `chmod -R a+rX {path.parent}`."
        )
    return UserError(f"{path} cannot be read: {error}. {RESTORE}")
