"""A diffusion model's step behind the engine that runs it: as any other model, and one evaluation at a time."""

import threading
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from torchworks.shared.models.denoising import IMAGE, Arrays, DenoisingSpec


class Runs(Protocol):
    """What runs the file of a model, as an `Engine` does."""

    def run(self, inputs: Arrays) -> Arrays: ...


class StepEngine:
    """An `Engine` that draws whole images, and `evaluate` for whoever draws step by step. Both may be called from
    several threads; one waits for the other."""

    def __init__(self, engine: Runs, spec: DenoisingSpec):
        self.engine, self.spec = engine, spec
        self._lock = threading.Lock()

    def run(self, inputs: Arrays) -> Arrays:
        """The image of each row, by the signature."""
        return {IMAGE: self.spec.draw_all(self.evaluate, inputs)}

    def evaluate(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """`x`, `time` and the conditions in, `predicted` out."""
        with self._lock:
            return self.engine.run(dict(arrays))
