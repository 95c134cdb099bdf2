"""One step of a trained diffusion model: what is exported of it, so that a service chooses how images are drawn.

`denoising.py` beside this file says what the graph takes and gives.
"""

from typing import Any

import torch
from torch import Tensor

from torchworks.shared.models.denoising import PREDICTED, DenoisingSpec
from torchworks.shared.models.predictor import Predictor


class DenoisingStep(Predictor):
    """x (N, C, H, W), time (N,), conditions → what the net of `predictor` predicts, (N, C, H, W).

    Its signature is that of the model around the step, with how images are drawn as inputs.
    """

    denoising: DenoisingSpec

    def __init__(self, predictor: Predictor):
        assert predictor.denoising is not None, "asked of diffusion models only"
        super().__init__(predictor.net, predictor.denoising.signature(predictor.signature))
        self.denoising = predictor.denoising

    @property
    def graph_inputs(self) -> list[str]:
        return self.denoising.graph_inputs

    @property
    def graph_shapes(self) -> list[tuple[int | str, ...]]:
        return self.denoising.graph_shapes(self.signature)

    @property
    def graph_outputs(self) -> list[str]:
        return [PREDICTED]

    def example(self, rows: int = 2) -> tuple[Tensor, ...]:
        """Inputs of `forward` to capture it by."""
        sizes: dict[Any, int] = {"N": rows}
        shapes = [
            [size if isinstance(size, int) else sizes.get(size, self.signature.most.get(size, 8)) for size in shape]
            for shape in self.graph_shapes
        ]
        x, time = (torch.zeros(*shape) for shape in shapes[:2])
        return (x, time, *(torch.zeros(*shape, dtype=torch.int64) for shape in shapes[2:]))
