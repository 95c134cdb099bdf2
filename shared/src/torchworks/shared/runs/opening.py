"""A finished run, opened for use: its configuration, and its model on a device."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from torchworks.shared.config import Config, UserError
from torchworks.shared.machine.device import choose, limit_threads
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import Predictor, load_predictor
from torchworks.shared.runs.files import check_finished, load_config

CHUNK = 16
"""Rows that `FinishedRun.compute` computes at once."""


@dataclass(frozen=True)
class FinishedRun:
    """The folder of a run, its configuration, and its model on a device."""

    folder: Path
    config: Config
    predictor: Predictor
    device: torch.device

    @torch.no_grad()
    def compute(self, *inputs: Tensor) -> Tensor:
        """The model's only output for these rows, on the CPU.

        All batches have `CHUNK` rows, the last one padded with zeros: a net may compute a row differently, in the last
        bit, among fewer or more others, so that the size of a batch must not be the caller's choice.
        """
        parts = []
        for start in range(0, len(inputs[0]), CHUNK):
            rows = [_padded(value[start : start + CHUNK]).to(self.device) for value in inputs]
            parts.append(self.predictor(*rows).cpu())
        return torch.cat(parts)[: len(inputs[0])]


def _padded(rows: Tensor) -> Tensor:
    """`CHUNK` rows: those given, then zeros."""
    return torch.cat([rows, rows.new_zeros(CHUNK - len(rows), *rows.shape[1:])])


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
