"""Data and scores of the translation tasks: two domains or pairs, and whether a translation keeps its label."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import FileDataset, Source, open_source
from torchworks.shared.fidelity import Fidelity, Judge


def open_domains(spec: str, config: ImageConfig, seed: int = 0) -> tuple[Source, Source]:
    """The two sources of "SOURCE+SOURCE", with equally many channels; raises `UserError` unless there are two."""
    names = spec.split("+")
    if len(names) != 2 or not all(names):
        raise UserError(
            f"A translation needs two domains, joined by a plus sign, such as --data digits+printed-digits or "
            f"--data folder:A+folder:B; '{spec}' names {sum(map(bool, names))}."
        )
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


def same_classes(a: Judge, b: Judge) -> bool:
    """Whether both domains have the same classes, so that a translation's label can be read."""
    return bool(a.classes) and a.classes == b.classes


class DomainDistance(Fidelity):
    """The Fréchet distance of translations to their target domain alone, named after it and the `direction`."""

    def __init__(self, space: Judge, reference: Tensor, direction: str):
        super().__init__(space, reference)
        self.score = f"{space.frechet_name}_{direction}"

    def compute(self) -> dict[str, float]:
        return {self.score: super().compute()[self.space.frechet_name]}


class LabelKept(Metric):
    """Share of translations in which the judge of the target domain reads the label of the image they came from.

    `label_kept_ab`, `label_kept_ba` and the smaller of the two, `label_kept`. An image that comes twice in a pass
    counts once.
    """

    full_state_update = False

    def __init__(self, judge_a: Judge, judge_b: Judge):
        super().__init__()
        self.judges = {"a": judge_a, "b": judge_b}
        for domain in "ab":
            self.add_state(f"index_{domain}", default=[], dist_reduce_fx="cat")
            self.add_state(f"right_{domain}", default=[], dist_reduce_fx="cat")

    @torch.no_grad()
    def update(self, batch: dict[str, Tensor], fake_a: Tensor, fake_b: Tensor) -> None:
        """`fake_b` are the translations of `batch["a_image"]`, whose labels are `batch["a_label"]`; and back."""
        for domain, judge, fake in ("a", self.judges["b"], fake_b), ("b", self.judges["a"], fake_a):
            right = judge.logits(fake).argmax(dim=1) == batch[f"{domain}_label"]
            getattr(self, f"index_{domain}").append(batch[f"{domain}_index"])
            getattr(self, f"right_{domain}").append(right)

    def compute(self) -> dict[str, float]:
        ab, ba = self._share("a"), self._share("b")
        return {"label_kept_ab": ab, "label_kept_ba": ba, "label_kept": min(ab, ba)}

    def _share(self, domain: str) -> float:
        index = dim_zero_cat(getattr(self, f"index_{domain}"))
        right = dim_zero_cat(getattr(self, f"right_{domain}")).double()
        once = torch.full((int(index.max()) + 1,), torch.nan, dtype=torch.float64, device=index.device)
        once[index] = right
        return once.nanmean().item()
