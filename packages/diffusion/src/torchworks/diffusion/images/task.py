"""The training of a diffusion model: noise is added to images, and the net learns to tell the two apart.

Ho et al. 2020, algorithm 1, for any path, prediction and weighting: `torchworks.diffusion.process` holds these. For
guidance the class of some images is left out (Ho & Salimans 2022, algorithm 1).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.diffusion.images.config import ImagesConfig, PixelsConfig
from torchworks.diffusion.process.denoiser import Denoiser
from torchworks.diffusion.process.doctor import Doctor
from torchworks.diffusion.process.drawing import draw
from torchworks.diffusion.process.levels import TIMES, LevelLosses
from torchworks.diffusion.process.objective import Objective
from torchworks.diffusion.process.optimizer import optimizer_of
from torchworks.shared.denoising import Level
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Diagnosis, Out, Task

if TYPE_CHECKING:
    from torchworks.shared.fidelity import Fidelity  # slow to import, and drawing images needs none

PREVIEW_COLUMNS = 10
RANGE = 1.1
"""Beyond it a drawn value counts as out of the range of pixels, [-1, 1]."""


class DiffusionTask(Task):
    """`model` (x (N, C, H, W), time (N,)[, label (N,)]) → what it predicts of x, (N, C, H, W).

    Batches have an "image" (N, C, S, S) in [-1, 1] and, if `num_classes` is not 0, a "label" (N,). `fidelity` scores
    drawn images at evaluations, and its Fréchet distance chooses the best state; it may be left out. With `decode`,
    which makes images of latents, x is latents: batches have "latent" of `image_shape` instead of images.
    """

    def __init__(
        self,
        model: nn.Module,
        config: PixelsConfig,
        *,
        image_shape: tuple[int, int, int],
        num_classes: int = 0,
        fidelity: "Fidelity | None" = None,
        decode: Callable[[Tensor], Tensor] | None = None,
    ):
        self.model, self.config = model, config
        self.image_shape, self.num_classes, self.fidelity = image_shape, num_classes, fidelity
        self.decode = decode
        self.objective = Objective.of(config.process)
        self.level_losses = LevelLosses()
        self.doctor = Doctor(config.process, config.sampling, conditional=num_classes > 0)
        self.watch = fidelity.space.frechet_name if fidelity is not None else None

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return optimizer_of(self.model, self.config)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        problem = self.objective.problem(self._clean(batch), self.random)
        predicted = self.model(problem.x, problem.time, *self._told(batch))
        return Out(problem.loss(predicted).mean())

    def _clean(self, batch: dict[str, Tensor]) -> Tensor:
        """What noise is added to: images, or latents."""
        return batch["image" if self.decode is None else "latent"].float()

    def _condition(self, batch: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """What the net takes beside x and time: the classes, if there are some."""
        return (batch["label"],) if self.num_classes else ()

    def _told(self, batch: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """The same in training: some classes are replaced by "no class"."""
        if not self.num_classes:
            return ()
        assert isinstance(self.config, ImagesConfig)
        left_out = self.random.uniform(len(batch["label"])) < self.config.class_dropout
        return (batch["label"].masked_fill(left_out, self.num_classes),)

    # ---- evaluation ------------------------------------------------------------------------------------------------

    def begin_evaluation(self) -> None:
        self.level_losses.reset()

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        """As many drawn images as the batch has real ones, of the same classes; and the loss at each noise level."""
        image, told = self._clean(batch), self._condition(batch)
        self.doctor.deviation = float(image.std())
        scores: dict[str, Any] = {}
        problem = self.objective.problem(image, self.random)
        losses = problem.loss(self.model(problem.x, problem.time, *told))
        scores["loss"] = (losses.sum(), len(losses))
        if not self.level_losses.complete:
            self.level_losses.add([self._loss_at(t, image, told) for t in TIMES])
        if self.fidelity is not None:
            scores |= self._scores(self._draw(self.random.normal(*image.shape), told, step_noise=True), batch)
        return scores

    def _scores(self, drawn: Tensor, batch: dict[str, Tensor]) -> dict[str, Any]:
        """Scores of images `drawn` for a batch."""
        if self.fidelity is None:
            return {}
        self.fidelity.update(fake=drawn.float().clamp(-1, 1), label=self._wanted(batch))
        return {"out_of_range": ((drawn.abs() > RANGE).float().mean(), 1), "fidelity": self.fidelity}

    def _wanted(self, batch: dict[str, Tensor]) -> Tensor | None:
        """The class that each drawn image should show, if one was asked for."""
        return batch["label"] if self.num_classes else None

    def _loss_at(self, t: float, image: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        problem = self.objective.problem_at(image, self.random.normal(*image.shape), image.new_full((len(image),), t))
        return problem.loss(self.model(problem.x, problem.time, *told))

    def _denoiser(self, told: tuple[Tensor, ...]) -> Callable[[Tensor, Level], Tensor]:
        return denoiser(self.model, self.config, told, self.num_classes)

    def _draw(self, noise: Tensor, told: tuple[Tensor, ...], *, step_noise: bool) -> Tensor:
        config, denoise = self.config, self._denoiser(told)
        again = (lambda _: self.random.normal(*noise.shape)) if step_noise else (lambda _: torch.zeros_like(noise))
        drawn = draw(denoise, noise, config.process, config.sampling, step_noise=again)
        return drawn if self.decode is None else self.decode(drawn)

    def diagnose(self, step: int, metrics: dict[str, float]) -> Diagnosis | None:
        return self.doctor.diagnose(step, metrics)

    def state_dict(self) -> dict[str, Any]:
        return {"named": list(self.doctor.named)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.doctor.named = list(state["named"])

    def preview(self) -> dict[str, Tensor]:
        """A grid from fixed noise, with a row for each of up to ten classes; and the loss at each noise level. Samplers
        that add noise in each step add none here, which shows them smoother than they are."""
        device = next(self.model.parameters()).device
        rows = min(self.num_classes or 10, 10)
        noise = sample_normal(self.config.seed, range(rows * PREVIEW_COLUMNS), *self.image_shape).to(device)
        labels = torch.arange(rows, device=device).repeat_interleave(PREVIEW_COLUMNS)
        drawn = self._draw(noise, (labels,) if self.num_classes else (), step_noise=False)
        pictures = {"samples": picture_grid(drawn / 2 + 0.5, PREVIEW_COLUMNS)}
        return pictures | ({"loss": self.level_losses.picture()} if self.level_losses.rows else {})


def denoiser(net: nn.Module, config: PixelsConfig, labels: tuple[Tensor, ...], num_classes: int) -> Denoiser:
    """`net` as samplers see it, guided towards `labels` if there are classes."""
    return Denoiser(
        net,
        config.process,
        condition=labels,
        unconditional=tuple(torch.full_like(label, num_classes) for label in labels),
        guidance=config.sampling.guidance_of(bool(labels)),
        clip=config.sampling.clip,
    )
