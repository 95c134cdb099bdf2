"""Metrics of a translation: its distance to the target domain, and whether it keeps the label."""

import torch
from torch import Tensor

from torchworks.shared.fidelity import Fidelity, Judge
from torchworks.shared.training.collecting import CollectingMetric


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


class LabelKept(CollectingMetric):
    """Share of translations in which the judge of the target domain reads the label of the image they came from.

    `label_kept_ab`, `label_kept_ba` and the smaller of the two, `label_kept`. An image that comes twice in a pass
    counts once.
    """

    collected = ("index_a", "right_a", "index_b", "right_b")

    def __init__(self, judge_a: Judge, judge_b: Judge):
        super().__init__()
        self.judges = {"a": judge_a, "b": judge_b}

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
        index, right = self.rows(f"index_{domain}"), self.rows(f"right_{domain}")
        assert index is not None
        assert right is not None
        once = torch.full((int(index.max()) + 1,), torch.nan, dtype=torch.float64, device=index.device)
        once[index] = right.double()
        return once.nanmean().item()
