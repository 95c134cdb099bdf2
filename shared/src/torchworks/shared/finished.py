"""A finished run, opened for use: its configuration, and its model on a device."""

from dataclasses import dataclass
from pathlib import Path

import torch

from torchworks.shared.config import Config, UserError, nearest
from torchworks.shared.device import choose, limit_threads
from torchworks.shared.manifest import MANIFEST, read_manifest
from torchworks.shared.predict import Predictor, load_predictor
from torchworks.shared.saved import load_config


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
    _check_folder(folder, package)
    manifest = read_manifest(folder)
    if manifest.package != package:
        raise UserError(
            f"{folder} is a run of the package {manifest.package}, and this is {package}. Use that package's command, "
            f"`{manifest.package}`."
        )
    chosen = choose(device, "fp32", "off").device
    return FinishedRun(folder, load_config(folder), load_predictor(folder).to(chosen), chosen)


def _check_folder(folder: Path, package: str) -> None:
    if not folder.is_dir():
        near = nearest(folder.name, [path.name for path in folder.parent.glob("*")])
        raise UserError(f"There is no run directory {folder}.{near} Give the path that `train` printed last.")
    if (folder / MANIFEST).exists():
        return
    inside = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if inside:
        raise UserError(f"{folder} holds runs, but is none itself. Did you mean {inside[-1]}?")
    if (folder / "config.json").exists():
        raise UserError(
            f"The run {folder} is not finished: it has no model yet. Finish it with "
            f"`{package} train --resume {folder}`."
        )
    raise UserError(f"{folder} is not a run directory. Give the path that `train` printed last.")
