"""The training of super-resolution: as of images from noise, with the small image as the condition."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchworks.diffusion.images.task import DiffusionTask
from torchworks.diffusion.restore.restoring import blocks, interpolated, peak_ratio, shrunk
from torchworks.diffusion.superres.config import SuperresConfig
from torchworks.diffusion.superres.net import SuperresNet, denoiser
from torchworks.shared.denoising import Level
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.directory import picture_grid

if TYPE_CHECKING:
    from torchworks.shared.fidelity import Fidelity


class SuperresTask(DiffusionTask):
    """`model` (x (N, C, S, S), time (N,), small (N, C, s, s)) → what it predicts of x.

    Batches have an "image" (N, C, S, S) in [-1, 1], whose means of blocks are the small image. Evaluations enlarge it,
    and the peak signal-to-noise ratio chooses the best state. `shown` (N, C, S, S) are enlarged as a preview.
    """

    config: SuperresConfig

    def __init__(self, model: SuperresNet, config: SuperresConfig, shown: Tensor, fidelity: "Fidelity"):
        channels, size, _ = shown.shape[1:]
        super().__init__(model, config, image_shape=(channels, size, size), fidelity=fidelity)
        self.shown = shown
        self.watch, self.watch_mode = "psnr", "max"

    def _condition(self, batch: dict[str, Tensor]) -> tuple[Tensor, ...]:
        return (shrunk(self._clean(batch), self.config.factor),)

    def _told(self, batch: dict[str, Tensor]) -> tuple[Tensor, ...]:
        return self._condition(batch)

    def _wanted(self, batch: dict[str, Tensor]) -> Tensor | None:
        """An enlarged image should show what the image shows that was made small."""
        return batch.get("label")

    def _scores(self, drawn: Tensor, batch: dict[str, Tensor]) -> dict[str, Any]:
        ratios = peak_ratio(drawn.float(), self._clean(batch))
        return super()._scores(drawn, batch) | {"psnr": (ratios.sum(), len(ratios))}

    def _denoiser(self, told: tuple[Tensor, ...]) -> Callable[[Tensor, Level], Tensor]:
        return denoiser(self.model, told[0], self.config.process, self.config.sampling)

    def preview(self) -> dict[str, Tensor]:
        """Rows of small images, bicubic interpolation, what is drawn, and the images; and the loss at each noise
        level."""
        image = self.shown.to(next(self.model.parameters()).device)
        noise = sample_normal(self.config.seed, range(len(image)), *self.image_shape).to(image.device)
        small = shrunk(image, self.config.factor)
        drawn = self._draw(noise, (small,), step_noise=False)
        pictures = {"samples": comparison(small, drawn, image)}
        return pictures | ({"loss": self.level_losses.picture()} if self.level_losses.rows else {})


def comparison(small: Tensor, drawn: Tensor, truth: Tensor) -> Tensor:
    """Rows of pixels as blocks, bicubic interpolation, what was drawn, and the truth, uint8 (3, H, W)."""
    size = truth.shape[-1]
    rows = torch.cat([blocks(small, size), interpolated(small, size), drawn.to(small.dtype), truth])
    return picture_grid(rows.clamp(-1, 1) / 2 + 0.5, len(truth))
