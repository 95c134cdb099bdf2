"""A generator's graph behind the engine that runs it: with a state, and as any other model without one."""

import threading
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from torchworks.serving.generation.prompts import logits_after
from torchworks.shared.models.generation import Arrays, GenerationSpec


class Runs(Protocol):
    """What runs the file of a model, as an `Engine` does."""

    def run(self, inputs: Arrays) -> Arrays: ...


class StatefulEngine:
    """An `Engine` for predictions, each of which begins a text, and `advance` for texts that go on. Both may be called
    from several threads; one waits for the other."""

    def __init__(self, engine: Runs, spec: GenerationSpec):
        self.engine, self.spec = engine, spec
        self._lock = threading.Lock()

    def run(self, inputs: Arrays) -> Arrays:
        """The logits after each text, by the signature."""
        return {"logits": logits_after(self.advance, self.spec, inputs)}

    def advance(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """`tokens`, `length` and the state in, `logits` and what is new of the state out."""
        with self._lock:
            return self.engine.run(dict(arrays))
