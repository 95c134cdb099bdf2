"""The interface of every detector of this package.

    net.losses(images, targets)   a dict of losses, to be summed: what training needs
    net(images)                   a list with one dict for each image: "boxes" (m, 4), "scores" (m,), "labels" (m,)
    net(images, targets)          the losses again, since a wrapper such as DDP sees `forward` alone
    net.detect(images)            tensors of fixed shape, padded: what `torch.export` and ONNX take

`images` are float (N, 3, S, S), normalized already; `targets` a list of N dicts with "boxes" float (m, 4) and "labels"
int64 (m,), and "masks" (m, S, S) where a net wants them; all of them may have "ignored" (k, 4), regions in which what
is found does not count as a mistake. Boxes are x1, y1, x2, y2 in pixels.

Between those, detections of all images lie in one flat table beside the number of their image. Suppression, the one
step that looks at the images separately, has two forms. In Python it goes image by image. In an exported program the
number of images is not known and there are no loops: each class of each image is moved to a place of its own on a
large plane, where boxes of different places never meet, and `torchvision.ops.nms` is called once. `torch.export` takes
that with any number of images, and ONNX has an operator for it (NonMaxSuppression), to which onnxscript translates.
On the way there `x.shape[0]` is used for `len(x)`, which would fix the size of a tensor in the program. Which of two
boxes with equal scores comes first, and so which suppresses the other, is each runtime's own choice.

Shape letters: N images, S image size, M objects, R rows of a flat table, D detections of one image, A anchors.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms, nms

Target = dict[str, Tensor]
ImageSize = tuple[int, int]
"""Height and width."""
NO_LABEL = -1


class Detections(NamedTuple):
    """Detections of all images; those of one image are in order of falling score."""

    image: Tensor
    """int64 (R,): the number of the image."""
    boxes: Tensor
    """(R, 4)"""
    scores: Tensor
    """(R,) from 0 to 1."""
    labels: Tensor
    """int64 (R,)"""
    masks: Tensor | None = None
    """(R, 1, S, S) from 0 to 1, of nets that have them."""

    def of_each_image(self, images: int) -> list[Target]:
        fields = {name: value for name, value in self._asdict().items() if name != "image" and value is not None}
        return [{name: value[self.image == i] for name, value in fields.items()} for i in range(images)]

    def padded(self, images: int, size: int) -> tuple[Tensor, ...]:
        """Boxes (N, D, 4), scores (N, D), labels (N, D) [, masks (N, D, S, S)] with D = `size`; rows without a
        detection have score 0 and label −1."""
        at = (self.image, rank_in_image(self.image, images))
        scores = self.scores.new_zeros(images, size).index_put(at, self.scores)
        boxes = self.boxes.new_zeros(images, size, 4).index_put(at, self.boxes)
        labels = self.labels.new_full((images, size), NO_LABEL).index_put(at, self.labels)
        if self.masks is None:
            return boxes, scores, labels
        masks = self.masks.squeeze(1)
        return boxes, scores, labels, masks.new_zeros(images, size, *masks.shape[1:]).index_put(at, masks)


class Detector(nn.Module):
    """A net from images to boxes. Labels start at `first_label`; `num_classes` is the size of its classifier."""

    first_label: ClassVar[int] = 1
    """1: label 0 is the background, and counts in `num_classes`, as in torchvision."""
    in_channels: int
    num_classes: int
    max_detections: int
    """D: the most detections of one image."""

    def detections(self, images: Tensor) -> Detections:
        raise NotImplementedError

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        raise NotImplementedError

    def detect(self, images: Tensor) -> tuple[Tensor, ...]:
        """Boxes (N, D, 4), scores (N, D), labels int64 (N, D), and masks (N, D, S, S) of nets that have them; rows
        without a detection have score 0 and label −1."""
        return self.detections(images).padded(images.shape[0], self.max_detections)

    def forward(self, images: Tensor, targets: Sequence[Target] | None = None) -> list[Target] | dict[str, Tensor]:
        if targets is not None:
            return self.losses(images, targets)
        return self.detections(images).of_each_image(images.shape[0])


def size_of(images: Tensor) -> ImageSize:
    return images.shape[-2], images.shape[-1]


def exact(x: Tensor) -> Tensor:
    """At least float32: coordinates in bfloat16 are wrong by whole pixels."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def flat_by_place(x: Tensor, values: int) -> Tensor:
    """A head's map (N, anchors · values, H, W) as (N, H·W·anchors, values): the order of the anchors."""
    return x.unflatten(1, (-1, values)).permute(0, 3, 4, 1, 2).flatten(1, 3)


# ---------------------------------------------------------------------------------------------- suppression


def suppress(
    boxes: Tensor, scores: Tensor, image: Tensor, group: Tensor, *, threshold: float, top: int, images: int, side: int
) -> Tensor:
    """Greedy non-maximum suppression within each group (class or level) of each image: the rows (R',) to keep, at most
    the `top` best of each image, and in order of falling score within it.

    A box goes if its IoU with a better one of its image and group is above `threshold`. Boxes lie within 0 and `side`.
    """
    if torch.compiler.is_exporting():
        places = torch.stack([group, image, group, image], 1) * (side + 1)  # (R, 4): right by group, down by image
        keep = nms(boxes + places, scores, threshold)
        keep = keep[rank_in_image(image[keep], images) < top]
        torch._check(keep.shape[0] < 2**31)  # without a bound, ONNX is given products of sizes beyond its integers
        return keep
    kept = []
    for i in range(images):
        rows = torch.where(image == i)[0]
        kept.append(rows[batched_nms(boxes[rows], scores[rows], group[rows], threshold)[:top]])
    return torch.cat(kept)


def rank_in_image(image: Tensor, images: int) -> Tensor:
    """How many rows before each row are of the same image (R,)."""
    mine = (image[:, None] == torch.arange(images, device=image.device)).long()  # (R, N)
    return (mine.cumsum(0) * mine).sum(1) - 1
