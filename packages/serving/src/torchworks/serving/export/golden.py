"""The golden example of a bundle: inputs, and what the model must give for them wherever it is opened."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save

from torchworks.serving.engine import Engine
from torchworks.serving.export.generation import GOLDEN_STEPS, golden_steps, with_room
from torchworks.serving.export.trained import Samples
from torchworks.serving.generation.graph import StatefulEngine
from torchworks.shared.models.manifest import GOLDEN


def write_golden(samples: Samples, folder: Path, engine: Engine) -> None:
    """Two rows of inputs with the answers of `engine`; of a generator also two tokens that follow them, with theirs."""
    inputs = samples.rows(slice(2)).inputs
    if isinstance(engine, StatefulEngine):
        inputs = with_room(engine.spec, inputs, GOLDEN_STEPS)
    parts = {"input": inputs, "output": engine.run(inputs)}
    if isinstance(engine, StatefulEngine):
        parts["steps"] = golden_steps(engine, inputs)
    tensors = {
        f"{prefix}.{name}": np.ascontiguousarray(value)  # others are saved in the wrong order
        for prefix, part in parts.items()
        for name, value in part.items()
    }
    (folder / GOLDEN).write_bytes(save(tensors))
