"""What is written down about a diffusion model, and how images are drawn by one step of it. Imports no torch, as
services need it too.

The graph is one evaluation of the net, and takes no part in the process:

    x (N, C, H, W), time (N,), conditions (N, …)  →  predicted (N, C, H, W)

Rows know nothing of each other, so that images of different callers, at different noise levels, share an evaluation.
Whoever draws computes the rest, by `torchworks.shared.denoising`: how many steps, at which levels, by which sampler,
how much guidance. So all of that may differ from request to request.

A model that draws in one piece takes `latent` (N, C·H·W) and its conditions, and gives `image` (N, C, H, W) in [0, 1].
Served step by step it takes the fields of `Drawing` too, as inputs that may be left out (`DenoisingSpec.signature`).
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from torchworks.shared.config import UserError
from torchworks.shared.denoising import (
    Guidance,
    Level,
    Path,
    Prediction,
    grid_of,
    guided,
    image_of,
    input_factor,
    path_of,
    sampler_of,
)
from torchworks.shared.denoising.paths import Betas, PathName
from torchworks.shared.models.signature import Signature, TensorSpec, check_name
from torchworks.shared.sampler_names import QUIET

Arrays = dict[str, np.ndarray]
Evaluate = Callable[[Arrays], Mapping[str, np.ndarray]]
"""Runs the graph: `x`, `time` and the conditions in, `predicted` out."""
Progress = Callable[[int, Any, Any], None]
"""Told of each step: its number from 0, x after it, and the image that the net predicts."""
X, TIME, PREDICTED = "x", "time", "predicted"
LATENT, IMAGE = "latent", "image"
SAMPLERS = QUIET
"""Those that a service draws with: an image follows from its latent alone."""


@dataclass(frozen=True)
class Condition:
    """An input beside x and time, such as the class. All its numbers are `nothing` where nothing is asked for."""

    name: str
    nothing: int

    def __post_init__(self) -> None:
        check_name("condition", self.name)


@dataclass(frozen=True)
class Drawing:
    """How an image is drawn."""

    sampler: str = "dpmpp-2m"
    steps: int = 8
    guidance: float = 1.0

    def evaluations(self, guides: bool) -> int:
        """Evaluations of the net for an image, by a model that can be guided or not."""
        rounds = 2 * self.steps - 1 if self.sampler == "heun" else self.steps
        return rounds * (2 if guides and self.guidance not in (0, 1) else 1)


@dataclass(frozen=True)
class DenoisingSpec:
    """What is needed to draw images by a graph."""

    shape: tuple[int, int, int]
    """Of an image: C, H, W."""
    prediction: Prediction
    """What the net predicts."""
    path: PathName = "flow"
    betas: Betas = "linear"
    """Of a variance-preserving path, as the next two."""
    chain: int = 1000
    zero_terminal_snr: bool = False
    sigma_data: float = 0.5
    """Of the prediction edm."""
    conditions: tuple[Condition, ...] = ()
    grid: str = "uniform"
    """How the noise levels of the steps are spaced."""
    drawing: Drawing = field(default_factory=Drawing)
    """How images are drawn unless a request says otherwise."""
    guided: tuple[float, float] = (0.0, 1.0)
    """The shares of noise between which there is guidance."""
    clip: bool = False
    """Whether the image that the net predicts is cut to [-1, 1] in each step."""
    most_steps: int = 250
    most_guidance: float = 20.0

    def __post_init__(self) -> None:
        grid_of(self.grid)
        if self.drawing.sampler not in SAMPLERS:
            raise UserError(
                f"The sampler of a model that is served is one of {', '.join(SAMPLERS)}, but it is "
                f"'{self.drawing.sampler}'."
            )
        if not 1 <= self.drawing.steps <= self.steps_limit:
            raise UserError(f"The steps must be from 1 to {self.steps_limit}, but they are {self.drawing.steps}.")

    @property
    def steps_limit(self) -> int:
        """Most steps of a request: no more than there are levels, and than the model is served with anyway."""
        most = max(self.most_steps, self.drawing.steps)
        return min(most, self.chain) if self.path == "variance-preserving" else most

    @property
    def noise_path(self) -> Path:
        return path_of(self.path, betas=self.betas, steps=self.chain, zero_terminal_snr=self.zero_terminal_snr)

    @property
    def numbers(self) -> int:
        """Of an image."""
        return int(np.prod(self.shape))

    # ---- the graph and the model around it -----------------------------------------------------------------

    @property
    def graph_inputs(self) -> list[str]:
        return [X, TIME, *(condition.name for condition in self.conditions)]

    def graph_shapes(self, signature: Signature) -> list[tuple[int | str, ...]]:
        """The shapes of `graph_inputs`."""
        shapes = {spec.name: spec.shape for spec in signature.inputs}
        return [("N", *self.shape), ("N",), *(shapes[condition.name] for condition in self.conditions)]

    def signature(self, signature: Signature) -> Signature:
        """Of the model served step by step: how images are drawn are inputs that may be left out."""
        drawing = self.drawing
        options = [
            TensorSpec("steps", "features", "int64", ("N",), low=1, high=self.steps_limit, default=drawing.steps),
            TensorSpec(
                "sampler", "label", "int64", ("N",), low=0, high=len(SAMPLERS) - 1, labels=SAMPLERS,
                default=SAMPLERS.index(drawing.sampler),
            ),
        ]  # fmt: skip
        if self.conditions:
            weight = TensorSpec(
                "guidance", "features", "float32", ("N",), low=0, high=max(self.most_guidance, drawing.guidance),
                default=drawing.guidance,
            )  # fmt: skip
            options.append(weight)
        return dataclasses.replace(signature, inputs=(*signature.inputs, *options))

    def beginning(self, inputs: Arrays) -> Arrays:
        """All inputs of the graph for images that begin, of those of the signature."""
        x = inputs[LATENT].reshape(-1, *self.shape)
        time = np.full(len(x), self.noise_path.level(1).time, np.float32)
        return {X: x, TIME: time} | self.asked(inputs)

    def asked(self, inputs: Mapping[str, np.ndarray], rows: slice = slice(None)) -> Arrays:
        """The conditions of some rows."""
        return {condition.name: inputs[condition.name][rows] for condition in self.conditions}

    def unasked(self, rows: int, like: Mapping[str, np.ndarray]) -> Arrays:
        """The conditions of rows for which nothing is asked."""
        return {
            condition.name: np.full((rows, *like[condition.name].shape[1:]), condition.nothing, np.int64)
            for condition in self.conditions
        }

    # ---- drawing -------------------------------------------------------------------------------------------

    def levels(self, drawing: Drawing) -> list[Level]:
        """The noise levels that are passed, from the most noise to the image."""
        return grid_of(self.grid)(self.noise_path, drawing.steps)

    def drawings(self, inputs: Mapping[str, np.ndarray]) -> Iterator[tuple[slice, Drawing]]:
        """Rows that follow each other and are drawn alike, and how."""
        rows = len(inputs[LATENT])
        guidance = inputs.get("guidance", np.ones(rows))
        each = [
            Drawing(SAMPLERS[int(sampler)], int(steps), float(weight))
            for sampler, steps, weight in zip(inputs["sampler"], inputs["steps"], guidance, strict=True)
        ]
        begin = 0
        for end in range(1, rows + 1):
            if end == rows or each[end] != each[begin]:
                yield slice(begin, end), each[begin]
                begin = end

    def draw(
        self,
        evaluate: Evaluate,
        latent: np.ndarray,
        asked: Arrays,
        drawing: Drawing,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Images (N, C, H, W) in [0, 1] of `latent` (N, C·H·W), which is standard normal."""
        grid = self.levels(drawing)
        x = grid[0].sigma * latent.reshape(-1, *self.shape)
        denoise = Denoiser(self, evaluate, asked, drawing)
        return shown(sampler_of(drawing.sampler)(denoise, x, grid, callback=progress))

    def draw_all(self, evaluate: Evaluate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The same of the inputs of `signature`, whose rows may be drawn in different ways."""
        parts = [
            self.draw(evaluate, inputs[LATENT][rows], self.asked(inputs, rows), drawing)
            for rows, drawing in self.drawings(inputs)
        ]
        return np.concatenate(parts)


class Denoiser:
    """`denoise(x, level)` of a sampler, guided towards what is `asked`, on arrays of NumPy.

    With guidance both evaluations are one of 2 N rows.
    """

    def __init__(self, spec: DenoisingSpec, evaluate: Evaluate, asked: Arrays, drawing: Drawing):
        self.spec, self.evaluate, self.asked = spec, evaluate, asked
        self.guidance = Guidance(drawing.guidance if spec.conditions else 1.0, spec.guided)

    def __call__(self, x: np.ndarray, level: Level) -> np.ndarray:
        kind, data, alpha, sigma = self.spec.prediction, self.spec.sigma_data, level.alpha, level.sigma
        predicted = self._predicted(x * input_factor(kind, alpha, sigma, sigma_data=data), level)
        image = image_of(kind, predicted, x, alpha, sigma, sigma_data=data)
        return image.clip(-1, 1) if self.spec.clip else image

    def _predicted(self, x: np.ndarray, level: Level) -> np.ndarray:
        weight = self.guidance.weight_at(level)
        if weight == 1:
            return self._evaluated(x, level, self.asked)
        nothing = self.spec.unasked(len(x), self.asked)
        if weight == 0:
            return self._evaluated(x, level, nothing)
        both = {name: np.concatenate([value, nothing[name]]) for name, value in self.asked.items()}
        predicted = self._evaluated(np.concatenate([x, x]), level, both)
        return guided(predicted[: len(x)], predicted[len(x) :], weight)

    def _evaluated(self, x: np.ndarray, level: Level, conditions: Arrays) -> np.ndarray:
        time = np.full(len(x), level.time, np.float32)
        return self.evaluate({X: x, TIME: time} | conditions)[PREDICTED]


def shown(image: np.ndarray) -> np.ndarray:
    """[-1, 1] → [0, 1], clipped."""
    return image.clip(-1, 1) / 2 + 0.5
