"""Images held as NumPy arrays at their own size. Imports no torch before a sample is asked for: a check of the data
needs none."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from torchworks.shared.data.schema import Schema

if TYPE_CHECKING:
    from torch import Tensor

    from torchworks.shared.data.dataset import TensorDataset


class ArrayDataset:
    """Images held at their own size, uint8 (N, C, H, H), and fitted to the schema's size when asked for; `labels` are
    int64 (N,), uint8 (N, K) or None. Arrays of NumPy, or tensors."""

    def __init__(self, images: Any, labels: Any, schema: Schema):
        self.images, self.schema = np.asarray(images), schema
        self._labels = None if labels is None else np.asarray(labels)
        self._resident: TensorDataset | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> "dict[str, Tensor]":
        import torch

        from torchworks.shared.data.dataset import fit

        sample = {"image": fit(torch.from_numpy(self.images[i : i + 1]), *self.schema["image"].shape[:2])[0]}
        return sample if self._labels is None else sample | {"label": torch.as_tensor(self._labels[i])}

    def preview(self, i: int) -> dict[str, np.ndarray]:
        """Sample i as arrays, made without torch; rounding may differ by one."""
        sample = {"image": _fit(self.images[i], *self.schema["image"].shape[:2])}
        return sample if self._labels is None else sample | {"label": self._labels[i]}

    @property
    def labels(self) -> "Tensor | None":
        import torch

        return None if self._labels is None else torch.from_numpy(self._labels)

    @property
    def tensors(self) -> "dict[str, Tensor]":
        """All of it at the schema's size."""
        return self.resident().tensors

    def subset(self, indices: Sequence[int]) -> "ArrayDataset":
        """The samples at `indices`, in that order."""
        rows = np.asarray(indices, np.int64)
        return ArrayDataset(self.images[rows], None if self._labels is None else self._labels[rows], self.schema)

    def resident(self) -> "TensorDataset":
        """All images at the schema's size, the first time they are asked for."""
        self._resident = self._resident or self._fitted()
        return self._resident

    def _fitted(self) -> "TensorDataset":
        import torch

        from torchworks.shared.data.dataset import TensorDataset, fit

        channels, side = self.schema["image"].shape[:2]
        chunks = [fit(chunk, channels, side) for chunk in torch.from_numpy(self.images).split(1024)]
        labels = self.labels
        held = {} if labels is None else {"label": labels}
        return TensorDataset({"image": torch.cat(chunks), **held}, self.schema)


def _fit(image: np.ndarray, channels: int, side: int) -> np.ndarray:
    """`dataset.fit` for one image, uint8 (C, H, H) → uint8 (channels, side, side), by Pillow's filter in floats."""
    planes = image.astype(np.float32)
    if len(planes) == 3 and channels == 1:
        planes = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), planes, 1)[None]
    if planes.shape[-1] != side:
        resized = (Image.fromarray(plane).resize((side, side), Image.Resampling.BICUBIC) for plane in planes)
        planes = np.stack([np.asarray(plane) for plane in resized])
    return np.broadcast_to(np.rint(planes).clip(0, 255).astype(np.uint8), (channels, side, side))
