"""The training of a diffusion model that is told captions: as of images with a class, with a caption in its place.

For guidance the caption of some images is left out (Ho & Salimans 2022, algorithm 1). Where a judge can read images, an
evaluation draws an image of each caption and says how many show what theirs says.

Shape letters: N images, C channels, S pixels along a side, T tokens of a caption.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.diffusion.process.drawing import draw
from torchworks.diffusion.process.objective import Objective
from torchworks.diffusion.process.optimizer import optimizer_of
from torchworks.diffusion.text2image.config import Text2ImageConfig
from torchworks.diffusion.text2image.net import CaptionedUNet, denoiser
from torchworks.shared.data.captions import captioned_grid
from torchworks.shared.data.tokenized import padded
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.task import Out, Task
from torchworks.shared.text import Tokenizer

Judge = Callable[[Tensor, Sequence[str]], dict[str, Tensor]]
"""Images (N, C, S, S) in [-1, 1] and their captions → scores of each, float (N,), by name."""
PREVIEW_COLUMNS = 4


class Text2ImageTask(Task):
    """Batches have an "image" (N, C, S, S) in [-1, 1] and "tokens" (N, T). `shown` are captions whose images are drawn
    as a preview, from fixed noise."""

    def __init__(
        self,
        model: CaptionedUNet,
        config: Text2ImageConfig,
        tokenizer: Tokenizer,
        *,
        image_shape: tuple[int, int, int],
        judge: Judge | None = None,
        shown: Sequence[str] = (),
    ):
        self.model, self.config, self.tokenizer = model, config, tokenizer
        self.image_shape, self.judge, self.shown = image_shape, judge, shown
        self.objective = Objective.of(config.process)

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return optimizer_of(self.model, self.config)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        image, tokens = batch["image"].float(), batch["tokens"]
        problem = self.objective.problem(image, self.random)
        left_out = self.random.uniform(len(tokens)) < self.config.caption_dropout
        predicted = self.model(problem.x, problem.time, tokens.masked_fill(left_out[:, None], 0))
        return Out(problem.loss(predicted).mean())

    # ---- evaluation ------------------------------------------------------------------------------------------------

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        """The loss, and what it would be if each image had another one's caption: if the two are alike, the net reads
        no captions. With a judge also how many images drawn of the captions show what these say."""
        image, tokens = batch["image"].float(), batch["tokens"]
        problem = self.objective.problem(image, self.random)
        scores: dict[str, Any] = {}
        for name, read in (("loss", tokens), ("loss_other_caption", tokens.roll(1, 0))):
            losses = problem.loss(self.model(problem.x, problem.time, read))
            scores[name] = (losses.sum(), len(losses))
        if self.judge is not None:
            drawn = self.draw(tokens, self.random.normal(*image.shape)).float()
            right = self.judge(drawn.clamp(-1, 1), [self.tokenizer.decode(row) for row in tokens.tolist()])
            scores |= {name: (each.sum(), len(each)) for name, each in right.items()}
        return scores

    def draw(self, tokens: Tensor, noise: Tensor, *, step_noise: bool = True) -> Tensor:
        """Images (N, C, S, S) of captions, from noise of that shape."""
        process, sampling = self.config.process, self.config.sampling
        again = (lambda _: self.random.normal(*noise.shape)) if step_noise else (lambda _: torch.zeros_like(noise))
        return draw(denoiser(self.model, tokens, process, sampling), noise, process, sampling, step_noise=again)

    def preview(self) -> dict[str, Tensor]:
        """Images of the captions `shown`, each above its caption. Samplers that add noise in each step add none."""
        if not self.shown:
            return {}
        device = next(self.model.parameters()).device
        tokens = padded(self.shown, self.tokenizer, self.model.length).to(device)
        noise = sample_normal(self.config.seed, range(len(tokens)), *self.image_shape).to(device)
        drawn = as_pixels(self.draw(tokens, noise, step_noise=False))
        sheet = captioned_grid(drawn.numpy(), self.shown, PREVIEW_COLUMNS)
        return {"samples": torch.from_numpy(np.array(sheet)).permute(2, 0, 1)}


def as_pixels(images: Tensor) -> Tensor:
    """Images in [-1, 1] as uint8, on the CPU."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()
