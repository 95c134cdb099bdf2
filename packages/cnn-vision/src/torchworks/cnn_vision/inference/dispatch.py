"""What kind of run `predict` and `evaluate` are given: by the builder of its model."""

import importlib
from types import ModuleType

from torchworks.shared.config import UserError
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.opening import FinishedRun

MODULES = {
    "cnn-vision-detector": "detection.use",
    "cnn-vision-segmenter": "segmentation.use",
    "cnn-vision-driver": "driving.use",
}
"""Modules of this package with functions `predict(run, arguments)` and `evaluate(run, arguments)`, which take the
arguments of the command of that name and return its exit code."""
COMMANDS = {
    "cnn-vision-anomaly": "inspect",
    "cnn-vision-autoencoder": "restore",
    "cnn-vision-vae": "draw",
    "cnn-vision-vae-sampler": "draw",
    "cnn-vision-style-fast": "stylize",
    "cnn-vision-style-adain": "stylize",
}
"""What uses runs in which there is nothing to predict."""


def module_of(run: FinishedRun) -> ModuleType | None:
    """None for classes and findings. Raises `UserError`, which names the right command, for runs of `COMMANDS`."""
    builder = read_manifest(run.folder).builder
    if builder in COMMANDS:
        raise UserError(
            f"{run.folder} is a run of the recipe {run.config.recipe}: use `cnn-vision {COMMANDS[builder]}`."
        )
    module = MODULES.get(builder)
    return importlib.import_module(f"torchworks.cnn_vision.{module}") if module else None
