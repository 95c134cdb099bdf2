"""What training images teach and test images can score: refused or said before the first step.

One rule for each field that a recipe learns: of `label` two classes, of `box_label` an object, of `mask` two classes of
pixels. Images are looked at until that is found.

Shape letters: N images, K classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, TensorDataset, labels_of
from torchworks.shared.data.boxes.sample import VOID
from torchworks.shared.data.listing import some

_NEEDED = {"label": 2, "box_label": 1, "mask": 2}
_NOTHING = {
    "label": "all of them have the same class, and a classifier needs two",
    "box_label": "none of them shows an object; regions to ignore, such as COCO's crowds, teach nothing",
    "mask": "all their pixels are of one class or to be ignored, and a segmenter needs two",
}
MOST_SEARCHED = 2000
"""Images that are decoded to find which classes a part lacks."""


def check_learnable(train: Dataset, source: str, *fields: str) -> None:
    """Raise `UserError` if the training images teach nothing of one of the `fields`."""
    for field in fields:
        if len(classes_in(train, field, stop_at=_NEEDED[field])) < _NEEDED[field]:
            held = " Images are held out of them first: see --valid-fraction." if len(train) else ""
            raise UserError(
                f"Nothing can be learned from the {len(train)} training images of {source}: {_NOTHING[field]}.{held} "
                "Look at their labels, or bring other images."
            )


def classes_in(dataset: Dataset, field: str, *, stop_at: int | None = None) -> set[int]:
    """The classes that occur in `field`; no more images are looked at once there are `stop_at` of them."""
    if field == "label" and dataset.schema[field].shape == ():
        return set(labels_of(dataset).tolist())
    if isinstance(dataset, TensorDataset) and stop_at is None:
        return _known(dataset.tensors[field])
    found: set[int] = set()
    for i in range(len(dataset)):
        found |= _known(dataset[i][field])
        if stop_at is not None and len(found) >= stop_at:
            break
    return found


def _known(values: Tensor) -> set[int]:
    """The classes of objects or pixels, but for what is to be ignored and the padding, which are negative or `VOID`."""
    pixels = values.dtype == torch.uint8
    return {k for k in values.unique().tolist() if k >= 0 and not (pixels and k == VOID)}


def unscored(parts: Sequence[Dataset], field: str) -> list[str]:
    """A sentence about classes that no image of the test `parts` has, so that no score counts them; nothing is said of
    large parts that would have to be decoded for it."""
    if any(_is_costly(part, field) for part in parts):
        return []
    (schema, *_) = (part.schema for part in parts)
    classes = schema["boxes" if field == "box_label" else field].classes
    seen = set().union(*(classes_in(part, field) for part in parts))
    lacking = [name for k, name in enumerate(classes) if k not in seen]
    if not lacking:
        return []
    return [f"Classes that no test image has, which no score counts: {len(lacking)} ({some(lacking)})."]


def _is_costly(part: Dataset, field: str) -> bool:
    return field != "label" and not isinstance(part, TensorDataset) and len(part) > MOST_SEARCHED
