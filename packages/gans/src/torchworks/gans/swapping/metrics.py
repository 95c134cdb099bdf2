"""Scores of swaps whose truth is known: the other person, drawn in the same pose.

| score | of swaps in both directions |
|---|---|
| psnr, ssim, l1 | beside the truth |
| held | correlation of yaw, pitch and roll, read from the swap, with those of the image it was made of; mean |
| mouth, expression | the same of how far the mouth is open; of mouth, smile, lids, gaze and brows, mean |
| identity | share that a linear classifier of the two faces takes for the other person |
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from torchworks.gans.data.face_numbers import HELD, POSE, Person
from torchworks.gans.swapping.reading import READ, FaceReader, Ridge, correlation, whole
from torchworks.shared.fidelity.likeness import peak_ratio, structural_similarity
from torchworks.shared.training.collecting import CollectingMetric


class Renders(NamedTuple):
    """Training images uint8 (N, 3, S, S) of a drawn person, and the poses (N, 17) that they were drawn from."""

    who: Person
    images: Tensor
    poses: Tensor


class Judges:
    """What reads swaps, learnt from renders of A and B when it is first asked for."""

    def __init__(self, renders: Mapping[str, Renders]):
        self.renders = renders
        self._readers: dict[str, FaceReader] = {}
        self._identity: Ridge | None = None

    def read(self, person: str, images: Tensor, poses: Tensor) -> Tensor:
        """`READ` of images of `person`, "a" or "b", (N, 9)."""
        if person not in self._readers:
            who, seen, known = self.renders[person]
            self._readers[person] = FaceReader(who, seen.float() / 255, known)
        return self._readers[person](images, poses)

    def is_b(self, images: Tensor) -> Tensor:
        """Whether each image is rather of B than of A, (N,)."""
        if self._identity is None:
            rows = [whole(self.renders[person].images.float() / 255) for person in "ab"]
            sides = [torch.full((len(each), 1), side) for each, side in zip(rows, (-1.0, 1.0), strict=True)]
            self._identity = Ridge(torch.cat(rows), torch.cat(sides))
        return self._identity(whole(images.cpu()))[:, 0] > 0


class SwapScores(CollectingMetric):
    """The scores of this module. Rows are collected for each direction: "b" for A's images as B."""

    collected = ("psnr", "ssim", "l1", "right", "read_a", "read_b", "pose_a", "pose_b")
    psnr: list[Tensor]
    ssim: list[Tensor]
    l1: list[Tensor]
    right: list[Tensor]

    def __init__(self, judges: Judges | None):
        super().__init__()
        self.judges = judges

    @torch.no_grad()
    def update(self, batch: dict[str, Tensor], as_b: Tensor, as_a: Tensor) -> None:
        """`as_b` are the images `batch["a_image"]` as B, (N, 3, S, S) in [0, 1]; `as_a` the other way round."""
        assert self.judges is not None, "swaps are judged by renders"
        for source, target, made in ("a", "b", as_b), ("b", "a", as_a):
            truth = batch[f"{source}_truth"].float() / 2 + 0.5
            self.psnr.append(peak_ratio(made, truth, 1.0))
            self.ssim.append(structural_similarity(made, truth, 1.0))
            self.l1.append((made - truth).abs().mean((1, 2, 3)))
            self.right.append(self.judges.is_b(made) == (target == "b"))
            poses = batch[f"{source}_pose"].cpu()
            getattr(self, f"read_{target}").append(self.judges.read(target, made, poses))
            getattr(self, f"pose_{target}").append(poses)

    def compute(self) -> dict[str, float]:
        scores = {name: self._mean(name) for name in ("psnr", "ssim", "l1")}
        columns = [POSE.index(name) for name in READ]
        both = [correlation(self._rows(f"read_{to}"), self._rows(f"pose_{to}")[:, columns]) for to in "ab"]
        kept = (both[0] + both[1]) / 2
        scores["held"] = kept[: len(HELD)].mean().item()
        scores["mouth"] = kept[READ.index("open")].item()
        scores["expression"] = kept[len(HELD) :].mean().item()
        scores["identity"] = self._mean("right")
        return scores

    def _mean(self, name: str) -> float:
        return self._rows(name).double().mean().item()

    def _rows(self, name: str) -> Tensor:
        rows = self.rows(name)
        assert rows is not None
        return rows
