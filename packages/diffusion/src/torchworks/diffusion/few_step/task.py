"""The training of a model that draws in one step: it learns the straight line from noise to the image that another
model makes of it.

Liu et al. 2022, "Flow Straight and Fast" (arXiv:2209.03003, section 2.2, reflow and distillation): the teacher makes
an image x₀ of noise ε by many steps, along a curve. The new model starts with its weights and learns from such pairs

    v(x_t, t) = ε - x₀,        x_t = (1 - t) x₀ + t ε,

so that its curves are nearly straight, and one step, x₀ = ε - v(ε, 1), ends where the teacher's many do. It is a flow
model as any other: every sampler and grid draws with it, and more steps come nearer to the teacher. Guidance is in the
teacher's images, so that the model needs no second evaluation for it. Most problems are at t = 1, where one step is
decided (Lee et al. 2024, "Improving the Training of Rectified Flows", arXiv:2405.20320, section 3.1, draws them there
more often too).
"""

from typing import Any

import torch
from torch import Tensor

from torchworks.diffusion.few_step.config import FewStepConfig
from torchworks.diffusion.images.task import DiffusionTask
from torchworks.diffusion.process.objective import LEAST
from torchworks.shared.task import Out


class FewStepTask(DiffusionTask):
    """Training batches have "noise" and the "image" made of it, both (N, C, S, S), and, with classes, a "label", which
    may be `num_classes`, no class. Those of evaluations have real images."""

    config: FewStepConfig

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        noise = batch["noise"]
        t = self.random.uniform(len(noise)).clamp(min=LEAST)
        t = torch.where(self.random.uniform(len(noise)) < self.config.at_noise, 1.0, t)
        problem = self.objective.problem_at(batch["image"], noise, t)
        return Out(problem.loss(self.model(problem.x, problem.time, *self._condition(batch))).mean())

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        """As many drawn images as the batch has real ones, of the same classes. There is no loss: the noise that leads
        to a real image is not known."""
        noise = self.random.normal(*self._clean(batch).shape)
        return self._scores(self._draw(noise, self._condition(batch), step_noise=True), batch)
