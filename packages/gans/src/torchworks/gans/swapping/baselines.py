"""What swaps are compared with: the image itself, the other person's mean face, and that person's training image that
is most like, by pixels or, which only the renderer knows, by the pose. The truth says what the judges can read."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from torchworks.gans.swapping.metrics import Judges, Renders, SwapScores

Method = Callable[[Tensor, Tensor, Renders], Tensor]


def _itself(images: Tensor, poses: Tensor, other: Renders) -> Tensor:
    return images


def _mean_face(images: Tensor, poses: Tensor, other: Renders) -> Tensor:
    return (other.images.float().mean(0) / 255).expand_as(images)


def _nearest_pixels(images: Tensor, poses: Tensor, other: Renders) -> Tensor:
    seen = other.images.float() / 255
    return seen[torch.cdist(images.flatten(1), seen.flatten(1)).argmin(1)]


def _nearest_pose(images: Tensor, poses: Tensor, other: Renders) -> Tensor:
    """Each number of a pose counts alike."""
    scale = other.poses.std(0).clamp(min=1e-6)
    return (other.images.float() / 255)[torch.cdist(poses / scale, other.poses / scale).argmin(1)]


METHODS: dict[str, Method] = {
    "baseline": _itself,
    "mean_face": _mean_face,
    "nearest": _nearest_pixels,
    "nearest_pose": _nearest_pose,
}


@torch.no_grad()
def baselines(batches: Iterable[dict[str, Tensor]], renders: Mapping[str, Renders]) -> dict[str, float]:
    """`psnr_baseline` and the like: each score of each method, and those of the truth as `_real`. Batches are those of
    the task's evaluation."""
    judges = Judges(renders)
    scores = {name: SwapScores(judges) for name in (*METHODS, "real")}
    for batch in batches:
        batch = {name: value.cpu() for name, value in batch.items()}
        images = {side: batch[f"{side}_image"].float() / 2 + 0.5 for side in "ab"}
        for name, method in METHODS.items():
            as_b = method(images["a"], batch["a_pose"], renders["b"])
            scores[name].update(batch, as_b, method(images["b"], batch["b_pose"], renders["a"]))
        scores["real"].update(batch, batch["a_truth"].float() / 2 + 0.5, batch["b_truth"].float() / 2 + 0.5)
    found = {f"{key}_{name}": value for name, each in scores.items() for key, value in each.compute().items()}
    return {key: value for key, value in found.items() if key not in ("psnr_real", "ssim_real", "l1_real")}
