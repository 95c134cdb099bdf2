"""The vectors of a user's images, kept in a file, so that a search reads only new and changed images again.

Shape letters: N images, D size of a vector.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import read
from torchworks.shared.runs.outputs import progress

CHUNK = 64
FORMAT = "torchworks-search-index-1"
Mark = tuple[int, int]
"""When a file was changed (ns), and its bytes."""


class Index:
    """In the file `place`, of the model that `model` identifies; vectors of another model count as none."""

    def __init__(self, place: Path, model: str):
        self.place, self.model = place, model
        self.marks: dict[str, Mark] = {}
        self.vectors: dict[str, Tensor] = {}
        self._load()

    def _load(self) -> None:
        """A file that cannot be read, or is something else, is an empty index."""
        try:
            with safe_open(self.place, "pt") as file:
                about = json.loads((file.metadata() or {}).get("index", "{}"))
                if about.get("format") != FORMAT or about.get("model") != self.model:
                    return
                rows = file.get_tensor("vectors")
                self.marks = {name: (mark[0], mark[1]) for name, mark in about["files"].items()}
                self.vectors = dict(zip(self.marks, rows, strict=True))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError):
            self.marks, self.vectors = {}, {}

    def update(
        self, files: Sequence[Path], encode: Callable[[Tensor], Tensor], channels: int, size: int
    ) -> dict[Path, str]:
        """Read the `files` that are new or changed; returns why some cannot be read. `encode` makes vectors (N, D) of
        images uint8 (N, C, S, S)."""
        marks, bad = {}, {}
        for path in files:
            try:
                stat = path.stat()
                marks[path] = (stat.st_mtime_ns, stat.st_size)
            except OSError as error:
                bad[path] = error.strerror or str(error)
        stale = [path for path in marks if self.marks.get(_name(path)) != marks[path]]
        for path in stale:
            self.vectors.pop(_name(path), None)
        starts = range(0, len(stale), CHUNK)
        for start in progress(starts, "reading images", len(starts)):
            images: dict[Path, Tensor] = {}
            for path in stale[start : start + CHUNK]:
                try:
                    images[path] = read(path, channels, size)
                except Unreadable as error:
                    bad[path] = str(error)
            if images:
                found = encode(torch.stack([*images.values()]))
                self.vectors |= {_name(path): vector for path, vector in zip(images, found, strict=True)}
                self.marks |= {_name(path): marks[path] for path in images}
        if stale:
            self._save()
        return bad

    def of(self, files: Sequence[Path]) -> tuple[list[Path], Tensor]:
        """Those of the `files` that could be read, and their vectors (N, D)."""
        known = [path for path in files if _name(path) in self.vectors]
        return known, torch.stack([self.vectors[_name(path)] for path in known]) if known else torch.empty(0, 1)

    def _save(self) -> None:
        names = [*self.vectors]
        about = {"format": FORMAT, "model": self.model, "files": {name: self.marks[name] for name in names}}
        rows = torch.stack([self.vectors[name] for name in names]) if names else torch.empty(0, 1)
        aside = self.place.with_name(f".{self.place.name}.writing")
        save_file({"vectors": rows.contiguous()}, aside, {"index": json.dumps(about)})
        aside.replace(self.place)


def _name(path: Path) -> str:
    return str(path.resolve())
