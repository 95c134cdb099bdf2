"""Metrics of detection: COCO's average precision and recall, by torchmetrics on pycocotools.

Shape letters: S pixels, D detections of an image, m objects of an image, k regions to ignore.
"""

from math import nan

import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from torchworks.shared.data.boxes.sample import IGNORED

Found = dict[str, Tensor]
"""Detections of an image: "boxes" (D, 4), "scores" (D,), "labels" int64 (D,) from 0 on [, "masks" bool (D, S, S)]."""
Truth = dict[str, Tensor]
"""Objects of an image: "boxes" (m, 4), "labels" int64 (m,) from 0 on [, "masks" bool (m, S, S)], and "ignored" (k, 4)
[, "ignored_masks" (k, S, S)]."""


def truths_of(batch: dict[str, Tensor], *, masks: bool) -> list[Truth]:
    """What there is in each image of a batch: "boxes" (m, 4), "labels" (m,) from 0 on, "ignored" (k, 4) and, if `masks`
    are wanted, "masks" (m, S, S) and "ignored_masks" (k, S, S)."""
    truths = []
    for i, labels in enumerate(batch["box_label"]):
        objects, ignored = torch.where(labels >= 0)[0], torch.where(labels == IGNORED)[0]
        boxes = batch["boxes"][i]
        truth = {"boxes": boxes[objects], "labels": labels[objects], "ignored": boxes[ignored]}
        if masks:
            for name, rows in (("masks", objects), ("ignored_masks", ignored)):
                truth[name] = batch["instance"][i] == (rows + 1)[:, None, None]
        truths.append(truth)
    return truths


class AveragePrecision(MeanAveragePrecision):
    """`map` (over IoU 0.5, 0.55, … 0.95), `map_50`, `map_75`, `map_small`, `map_medium` and `map_large` (by area in
    pixels of the net's images: to 32², to 96², above), and the recall with at most 1, 10 and 100 detections of an image
    as `mar_1`, `mar_10`, `mar_100`. With `masks` the same of masks, with `mask_` before. Means are over the classes
    that have objects; sizes that no object has are left out, and `map` is NaN where there is no object at all.

    What is found in a region to ignore is neither right nor wrong, whatever its class.
    """

    higher_is_better, full_state_update = True, False

    def __init__(self, num_classes: int, *, masks: bool = False):
        super().__init__(iou_type=("bbox", "segm") if masks else "bbox", backend="pycocotools")
        self.num_classes, self.masks, self.warn_on_many_detections = num_classes, masks, False

    def update(self, preds: list[Found], target: list[Truth]) -> None:
        super().update([_on_cpu(found) for found in preds], [self._with_crowds(_on_cpu(truth)) for truth in target])

    def _with_crowds(self, truth: Truth) -> Truth:
        """COCO's regions to ignore are each of a class: those without one become regions of every class."""
        count, ignored = len(truth["boxes"]), truth["ignored"]
        classes = torch.arange(self.num_classes).repeat_interleave(len(ignored))
        target = {
            "boxes": torch.cat([truth["boxes"], ignored.repeat(self.num_classes, 1)]),
            "labels": torch.cat([truth["labels"], classes]),
            "iscrowd": (torch.arange(count + len(classes)) >= count).long(),
        }
        if self.masks:
            target["masks"] = torch.cat([truth["masks"], truth["ignored_masks"].repeat(self.num_classes, 1, 1)])
        return target

    def compute(self) -> dict[str, float]:
        computed = super().compute()
        prefixes = {"bbox_": "", "segm_": "mask_"} if self.masks else {"": ""}
        named = {new + name: computed[old + name] for old, new in prefixes.items() for name in SCORES}
        return {
            name: float(value) if value >= 0 else nan
            for name, value in named.items()
            if value >= 0 or name.endswith("map")
        }


SCORES = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large", "mar_1", "mar_10", "mar_100")


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.cpu() for name, value in tensors.items()}


def precision_by_class(found: list[Found], truths: list[Truth], classes: tuple[str, ...]) -> list[dict]:
    """A row for each class that has objects: how many, and its average precision over all IoUs, and at 0.5."""
    rows = {}
    for name, thresholds in (("AP", None), ("AP at 0.5", [0.5])):
        metric = _ByClass(len(classes), thresholds)
        metric.update(found, truths)
        for k, value in metric.by_class().items():
            rows.setdefault(k, {})[name] = value
    labels = torch.cat([truth["labels"] for truth in truths])
    return [{"class": classes[k], "objects": int((labels == k).sum()), **rows[k]} for k in sorted(rows)]


class _ByClass(AveragePrecision):
    def __init__(self, num_classes: int, thresholds: list[float] | None):
        super().__init__(num_classes)
        self.class_metrics = True
        self.iou_thresholds = thresholds or self.iou_thresholds

    def by_class(self) -> dict[int, float]:
        computed = MeanAveragePrecision.compute(self)
        pairs = zip(computed["classes"].view(-1).tolist(), computed["map_per_class"].view(-1).tolist(), strict=True)
        return {k: value for k, value in pairs if value >= 0}
