"""What identifies the samples of a data set, which labels they have, and a part of them held out."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from torchworks.shared.data.dataset import Part, resident
from torchworks.shared.data.schema import Dataset
from torchworks.shared.data.split import Label, digests, split


def digests_of(dataset: Dataset) -> list[str]:
    """What identifies each sample: its image's pixels, as the files were scanned or else as they are held; without
    images, everything but its label."""
    scans = getattr(dataset, "scans", ())
    if scans:
        return [scan.digest for scan in scans]
    if "image" in dataset.schema:
        return digests(resident(dataset).tensors["image"])
    return [_digest(dataset[i]) for i in range(len(dataset))]


def _digest(sample: dict[str, Tensor]) -> str:
    whole = hashlib.sha256()
    for name in sorted(sample.keys() - {"label"}):
        value = sample[name].contiguous().cpu()
        whole.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + value.numpy().tobytes())
    return whole.hexdigest()[:16]


def labels_of(dataset: Dataset) -> Tensor:
    """int64 (N,), or uint8 (N, K) if a sample may have several labels; without making any sample, where possible."""
    labels = getattr(dataset, "labels", None)
    if labels is None:
        labels = getattr(dataset, "tensors", {}).get("label")
    if labels is None and isinstance(dataset, Part):
        labels = labels_of(dataset.dataset)[dataset.indices]
    return labels if labels is not None else torch.stack([dataset[i]["label"] for i in range(len(dataset))])


def held_out(
    dataset: Dataset, fraction: float, seed: int, labels: Sequence[Label] | None = None
) -> tuple[Dataset, Part | None]:
    """(rest, held out): `fraction` of a training part to choose the best state by, so that the test part is not used
    for it; equal samples on one side. See `split`.

    `labels`, one for each sample, are shared out evenly. Without any, those are the values of the field `label`; where
    there is no such field, as in data with boxes or masks, all samples count alike. Nothing is held out for a fraction
    of 0, or from samples that cannot be divided.
    """
    if not fraction or len(dataset) < 2:
        return dataset, None
    if labels is None:
        labels = labels_of(dataset).tolist() if "label" in dataset.schema else [0] * len(dataset)
    rest, held = split(digests_of(dataset), labels, fraction, seed)
    return (Part(dataset, rest), Part(dataset, held)) if held else (dataset, None)
