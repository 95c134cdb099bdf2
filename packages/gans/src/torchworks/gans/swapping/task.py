"""The training of a face swap: an image of each person is deformed, and its own decoder gives it back as it was.

    L = ½ d(D_A(E(w(a))), a) + ½ d(D_B(E(w(b))), b),      d(x, y) = mean |x − y| + λ (1 − SSIM(grey x, grey y)),

w the random deformation of warping.py. The program of 2017 had λ = 0; DeepFaceLab (arXiv:2005.05535, section 3.3) adds
structural dissimilarity, as eyes and mouth are few pixels.

Batches have "a_image" and "b_image" (N, 3, S, S) in [-1, 1]. Those of the test part of generated faces also have
"a_truth", the other person in the same pose, and "a_pose" (N, 17); and "b_truth" and "b_pose".

Shape letters: N images, M images of a preview, S pixels a side.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.models.shared_encoder_autoencoder import SharedEncoderAutoencoder
from torchworks.gans.swapping.config import FaceSwapConfig
from torchworks.gans.swapping.marks import Marks
from torchworks.gans.swapping.metrics import SwapScores
from torchworks.gans.swapping.warping import Deformation, warped_pair
from torchworks.shared.fidelity.likeness import structural_similarity
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out, Phase, Task
from torchworks.shared.training.full_precision import full_precision
from torchworks.shared.training.optim import adam


class FaceSwapTask(Task):
    """`scores` judge swaps where the truth is known. `shown` are images (M, 3, S, S) of A and B in [-1, 1] for the
    preview."""

    phases = (Phase("train", net="autoencoder"),)
    exported = ("autoencoder",)
    watch, watch_mode = "reconstruction", "min"

    def __init__(
        self,
        autoencoder: SharedEncoderAutoencoder,
        config: FaceSwapConfig,
        shown: Mapping[str, Tensor],
        scores: SwapScores,
    ):
        self.autoencoder, self.config, self.shown, self.scores = autoencoder, config, shown, scores
        self.deformation = Deformation(config.rotation, config.zoom, config.shift, config.warp)
        self.marks = Marks(autoencoder.image_size, 0)

    def nets(self) -> dict[str, nn.Module]:
        return {"autoencoder": self.autoencoder}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.nets()[net].parameters(), lr=self.config.optim.lr, betas=self.config.betas)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        images = torch.cat([_unit(batch["a_image"]), _unit(batch["b_image"])])
        with torch.autocast(images.device.type, enabled=False):
            warped, wanted = warped_pair(images, self.deformation, self.random)
        n = len(batch["a_image"])
        made = self.autoencoder(warped[:n], warped[n:])
        pairs = zip(made, (wanted[:n], wanted[n:]), strict=True)
        a, b = (distance(each, truth, self.config.structure) for each, truth in pairs)
        return Out((a + b) / 2, logs={"a": a.detach(), "b": b.detach()})

    # ---- evaluation --------------------------------------------------------------------------------------

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        a, b = _unit(batch["a_image"]), _unit(batch["b_image"])
        made_a, made_b = (made.float() for made in self.autoencoder(a, b))
        errors = [(made - image).abs().mean((1, 2, 3)).sum() for made, image in ((made_a, a), (made_b, b))]
        found: dict[str, Any] = {"reconstruction": (sum(errors), len(a) + len(b))}
        if "a_truth" in batch:
            self.scores.update(batch, self.swapped(a, 1), self.swapped(b, 0))
            found["scores"] = self.scores
        return found

    @torch.no_grad()
    def swapped(self, images: Tensor, to: int) -> Tensor:
        """Images (N, 3, S, S) in [0, 1] as those of person 0 (A) or 1 (B), without marks."""
        person = torch.full((len(images),), to, device=images.device)
        return self.autoencoder.swap(images, person).float().clamp(0, 1)

    def preview(self) -> dict[str, Tensor]:
        """For A and then B: images, the same given back, and as the other person, with marks; below, where it is known,
        what they should be."""
        device = next(self.autoencoder.parameters()).device
        marks = self.marks.to(device)
        rows = []
        for to, own in ((1, "a"), (0, "b")):
            images = _unit(self.shown[f"{own}_image"].to(device))
            rows += [images, self.swapped(images, 1 - to), marks(self.swapped(images, to))]
            if f"{own}_truth" in self.shown:
                rows.append(_unit(self.shown[f"{own}_truth"].to(device)))
        return {"swapped": picture_grid(torch.cat(rows), len(rows[0]))}


@full_precision
def distance(made: Tensor, truth: Tensor, structure: float) -> Tensor:
    """d of images (N, 3, S, S) in [0, 1], where λ is `structure`."""
    error = F.l1_loss(made, truth)
    if not structure:
        return error
    return error + structure * (1 - structural_similarity(_grey(made), _grey(truth), 1.0).mean())


def _grey(images: Tensor) -> Tensor:
    return images.mean(1, keepdim=True)


def _unit(images: Tensor) -> Tensor:
    return images.float() / 2 + 0.5
