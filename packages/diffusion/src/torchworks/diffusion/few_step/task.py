"""The training of a model that draws in one step: it learns the straight line from noise to the image that another
model makes of it.

Liu et al. 2022, "Flow Straight and Fast" (arXiv:2209.03003, reflow and distillation): the teacher makes
an image x₀ of noise ε by many steps, along a curve. The new model starts with its weights and learns from such pairs

    v(x_t, t) = ε - x₀,        x_t = (1 - t) x₀ + t ε,

so that its curves are nearly straight, and one step, x₀ = ε - v(ε, 1), ends where the teacher's many do. It is a flow
model as any other: every sampler and grid draws with it, and more steps come nearer to the teacher. Guidance is in the
teacher's images, so that the model needs no second evaluation for it. Most problems are at t = 1, where one step is
decided (Lee et al. 2024, "Improving the Training of Rectified Flows", arXiv:2405.20320, draw more of them there too).

What was tried, with one teacher (digits, seed 0), by the distance of 1,438 images of the training images' classes in 1,
2 and 4 steps of Euler's (fd_digits64), and the CPU time of drawing the pairs and of training:

| pairs | steps of 64 | at noise | loss | 1 | 2 | 4 | CPU s |
|---|---|---|---|---|---|---|---|
| 20,480 | 600 | .75 | mean square | .337 | .296 | .265 | 157 + 89 |
| 8,192 | 600 | .75 | pseudo-Huber of each image | .315 | .313 | .281 | 63 + 87 |
| 8,192 | 600 | .5 | mean square | .361 | .334 | .304 | 63 + 86 |
| **4,096** | **400** | **.75** | **mean square** | .357 | .311 | .268 | 31 + 57 |

Consistency distillation of the same teacher (Song et al. 2023, arXiv:2303.01469, algorithm 2; 360 steps of 64, 8 times,
pseudo-Huber, 99 s of CPU time) had .465, .171 and .389: better in two steps, worse in one, and in four the requested
class is read in 97.0 %, where the chosen row has 99.8 %. MeanFlow was not tried: its net is told two times.
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
