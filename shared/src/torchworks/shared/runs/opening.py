"""A finished run, opened for use: its configuration, and its model on a device."""

from dataclasses import dataclass
from pathlib import Path

import torch

from torchworks.shared.config import Config, UserError
from torchworks.shared.machine.device import choose, limit_threads
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import Predictor, load_predictor
from torchworks.shared.runs.files import check_finished, load_config


@dataclass(frozen=True)
class FinishedRun:
    """The folder of a run, its configuration, and its model on a device."""

    folder: Path
    config: Config
    predictor: Predictor
    device: torch.device


def open_run(folder: Path, package: str, device: str = "auto") -> FinishedRun:
    """Raises `UserError` unless `folder` is a finished run of `package`."""
    limit_threads()
    check_finished(folder)
    manifest = read_manifest(folder)
    if manifest.package != package:
        raise UserError(
            f"{folder} is a run of the package {manifest.package}, and this is {package}. Use that package's command, "
            f"`{manifest.package}`."
        )
    chosen = choose(device, "fp32", "off").device
    return FinishedRun(folder, load_config(folder), load_predictor(folder).to(chosen), chosen)
