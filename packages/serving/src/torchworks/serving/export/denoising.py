"""What an export does besides for a diffusion model, of which one step is exported: the loop around it is a service's,
so it is compared with the trained model's own."""

import numpy as np
from safetensors.numpy import load_file

from torchworks.serving.engine import Engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.trained import Trained
from torchworks.shared.config import UserError
from torchworks.shared.models.denoising import IMAGE
from torchworks.shared.models.manifest import GOLDEN


def check_step_form(trained: Trained, settings: Export) -> None:
    """Raise `UserError` for options that there are not for a diffusion model."""
    if trained.predictor.denoising is None:
        return
    if settings.prune or settings.quantize:
        option = "--prune" if settings.prune else "--quantize"
        raise UserError(
            f"A diffusion model asks its net many times, and what {option} changes in one answer would add up over the "
            f"steps; nothing here measures that yet. Leave out {option}."
        )


def check_drawing(trained: Trained, engine: Engine) -> None:
    """Raise `UserError` unless the service's loop draws the run's golden example as the trained model did. Nothing for
    other models."""
    if trained.predictor.denoising is None:
        return
    golden, tolerance = load_file(trained.folder / GOLDEN), trained.manifest.tolerance
    inputs = {spec.name: _given(golden, spec.name, spec.default, spec.dtype) for spec in trained.signature.inputs}
    found, wanted = engine.run(inputs)[IMAGE], golden[f"output.{IMAGE}"]
    if not np.allclose(found, wanted, rtol=tolerance, atol=tolerance):
        raise UserError(
            f"Drawn step by step, the golden example of {trained.folder} differs by {np.abs(found - wanted).max():.3g} "
            f"from what the trained model drew, allowed is {tolerance:g}. Nothing was written."
        )


def _given(golden: dict[str, np.ndarray], name: str, default: float | None, dtype: str) -> np.ndarray:
    """An input of the golden example; its default if it has none."""
    rows = len(golden[f"output.{IMAGE}"])
    return golden[f"input.{name}"] if default is None else np.full(rows, default, dtype)
