"""What enlarging without a model scores: bicubic interpolation, and each pixel as a block."""

from collections.abc import Callable

import torch
from torch import Tensor

from torchworks.diffusion.restore.restoring import blocks, interpolated, peak_ratio, shrunk
from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Source, open_loader
from torchworks.shared.fidelity import Fidelity, Judge, bounds, features_of

SCORED = ("label_accuracy",)
"""Scores of the judge that are given of a baseline, beside its distance."""


def baselines(judge: Judge, source: Source, factor: int) -> dict[str, float]:
    """Scores of the test images made small and enlarged again (`_bicubic`, `_nearest`), and what real test images have
    (`_floor`, `_real`)."""
    real = {name: value for name, value in bounds(judge, source).items() if not name.endswith("_baseline")}
    methods: dict[str, Callable[[Tensor, int], Tensor]] = {"bicubic": interpolated, "nearest": blocks}
    return real | {
        f"{score}_{name}": value
        for name, method in methods.items()
        for score, value in scores_of(judge, source, factor, method).items()
    }


@torch.no_grad()
def scores_of(judge: Judge, source: Source, factor: int, method: Callable[[Tensor, int], Tensor]) -> dict[str, float]:
    """`psnr`, Fréchet distance and share of classes read right of the test images, made small and enlarged by `method`
    (small (N, C, s, s), S) → (N, C, S, S)."""
    device = next(judge.parameters()).device
    fidelity = Fidelity(judge, reference=features_of(judge, source.train)).to(device)
    fidelity.sync_on_compute = False
    ratios = []
    for batch in open_loader(source.test, LoaderConfig(), 256, train=False, device=device):
        image = batch["image"].float()
        made = method(shrunk(image, factor), image.shape[-1])
        ratios.append(peak_ratio(made, image))
        fidelity.update(fake=made.clamp(-1, 1), label=batch.get("label"))
    scores = fidelity.compute()
    kept = {name: scores[name] for name in (judge.frechet_name, *SCORED) if name in scores}
    return {"psnr": torch.cat(ratios).mean().item(), **kept}
