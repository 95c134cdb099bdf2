"""Baseline of detection: the constant prediction, which is the same for every image.

Shape letters: S pixels.
"""

import torch
from torch import Tensor

from torchworks.shared.data import Dataset
from torchworks.shared.detection.metrics import AveragePrecision, Found, truths_of

PLACES = 5
"""Boxes predicted for each class."""


def constant_prediction(train: Dataset, test: Dataset, num_classes: int) -> dict[str, float]:
    """Scores on `test` of the same detections for every image: for each class, the centres of `PLACES` clusters of all
    training boxes (k-means), scored by the frequencies of the class and the cluster."""
    boxes, labels = objects_of(train)
    constant = typical(boxes, labels, num_classes)
    metric = AveragePrecision(num_classes)
    for i in range(len(test)):
        batch = {name: value[None] for name, value in test[i].items()}
        metric.update([constant], truths_of(batch, masks=False))
    scores = metric.compute()
    return {f"{name}_constant_prediction": scores[name] for name in ("map", "map_50") if name in scores}


def objects_of(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Boxes (O, 4) and labels (O,) of all objects."""
    boxes, labels = [], []
    for i in range(len(dataset)):
        sample = dataset[i]
        objects = sample["box_label"] >= 0
        boxes.append(sample["boxes"][objects])
        labels.append(sample["box_label"][objects])
    return torch.cat(boxes), torch.cat(labels)


def typical(boxes: Tensor, labels: Tensor, num_classes: int) -> Found:
    """The constant prediction, from the boxes (O, 4) and labels (O,) of all training objects."""
    from sklearn.cluster import KMeans

    places = min(PLACES, len(boxes.unique(dim=0)))
    clusters = KMeans(places, n_init=1, random_state=0).fit(boxes.numpy())
    middles = torch.from_numpy(clusters.cluster_centers_).float()  # (P, 4)
    sizes = torch.bincount(torch.from_numpy(clusters.labels_).long(), minlength=places)
    share = torch.bincount(labels, minlength=num_classes) / len(labels)
    scores = share[:, None] * (sizes / len(boxes))  # (K, P)
    return {
        "boxes": middles.repeat(num_classes, 1),
        "scores": scores.flatten(),
        "labels": torch.arange(num_classes).repeat_interleave(places),
    }
