"""A run of forecasting, opened."""

from pathlib import Path

from torchworks.seq_models.forecasting.predictor import BUILDER
from torchworks.shared.config import UserError
from torchworks.shared.machine.device import keep_memory
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.opening import FinishedRun, open_run


def open_forecaster(folder: Path, device: str) -> FinishedRun:
    """Raises `UserError` for a run of another job."""
    keep_memory()
    run = open_run(folder, "seq-models", device)
    if (builder := read_manifest(folder).builder) != BUILDER:
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, made by {builder}, and not a forecaster. Use a run "
            "of forecast or another recipe that begins with forecast."
        )
    return run
