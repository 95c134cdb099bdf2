"""How well categories that nobody named agree with classes."""

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.training.collecting import CollectingMetric


def matched_accuracy(found: np.ndarray, classes: np.ndarray) -> float:
    """Share of rows whose category `found` (N,) stands for their class (N,), when each category stands for one class
    and each class for one category, matched as well as can be (Kuhn 1955, the Hungarian method)."""
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((found.max() + 1, classes.max() + 1), dtype=np.int64)
    np.add.at(counts, (found, classes), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(found))


def shared_information(found: np.ndarray, classes: np.ndarray) -> float:
    """Mutual information of categories and classes, divided by the mean of their entropies: 0 to 1."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(classes, found))


class CodeScores(CollectingMetric):
    """`code_accuracy`, `code_nmi`: agreement of the category that an image was drawn from with the class that is read
    in it; `recognized_accuracy`, `recognized_nmi`: of the category that Q finds in a real image with its label."""

    collected = ("category", "read", "recognized", "label")
    category: list[Tensor]
    read: list[Tensor]
    recognized: list[Tensor]
    label: list[Tensor]

    def update(self, category: Tensor, read: Tensor) -> None:
        """Categories that images were drawn from (N,), and the classes read in them (N,)."""
        self.category.append(category)
        self.read.append(read)

    def update_real(self, recognized: Tensor, label: Tensor) -> None:
        """Categories that Q finds in real images (N,), and their labels (N,)."""
        self.recognized.append(recognized)
        self.label.append(label)

    @torch.no_grad()
    def compute(self) -> dict[str, float]:
        scores = {}
        for name, found, classes in ("code", "category", "read"), ("recognized", "recognized", "label"):
            pair = [rows.cpu().numpy() for part in (found, classes) if (rows := self.rows(part)) is not None]
            if len(pair) == 2:
                scores |= {f"{name}_accuracy": matched_accuracy(*pair), f"{name}_nmi": shared_information(*pair)}
        return scores
