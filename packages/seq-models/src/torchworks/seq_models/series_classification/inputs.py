"""Series as users have them, in files, and what a run's model says of them.

Shape letters: N series, T steps, C channels, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from torchworks.seq_models.data.labelled_series import SeriesTable
from torchworks.seq_models.data.ts_files import read_unlabelled
from torchworks.seq_models.series_classification.predictor import BUILDER, SeriesClassifierPredictor
from torchworks.shared.config import UserError
from torchworks.shared.data import pad_to_longest
from torchworks.shared.data.listing import number_of
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.opening import FinishedRun, open_run

BATCH = 64
MOST_STEPS = 100_000
"""Of a series that is read: attention looks from each step at all others."""


@dataclass(frozen=True)
class OpenedClassifier:
    """A finished run that tells classes of series."""

    run: FinishedRun

    @classmethod
    def of(cls, folder: Path, device: str) -> "OpenedClassifier":
        """Raises `UserError` unless `folder` is such a run."""
        run = open_run(folder, "seq-models", device)
        if (builder := read_manifest(folder).builder) != BUILDER:
            raise UserError(
                f"{folder} is a run made by {builder}, which knows no series. Use a run of classify-series."
            )
        return cls(run)

    @property
    def predictor(self) -> SeriesClassifierPredictor:
        return cast(SeriesClassifierPredictor, self.run.predictor)

    @property
    def names(self) -> tuple[str, ...]:
        return self.predictor.signature.outputs[0].labels

    @property
    def channels(self) -> tuple[str, ...]:
        return self.predictor.signature.inputs[0].labels

    def probabilities(self, series: Sequence[Tensor]) -> Tensor:
        """Of series (T, C): (N, K), in their order. Those of similar length are computed together."""
        order = sorted(range(len(series)), key=lambda i: len(series[i]))
        found = torch.empty(len(series), len(self.names))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            found[places] = self.run.compute(*pad_to_longest([series[i] for i in places]))
        return found

    @torch.no_grad()
    def tells(self, series: Tensor, k: int) -> Tensor:
        """What each step of a series (T, C) tells for the class k, (T,): its share in the score of that class, less
        the mean of all classes."""
        length = torch.tensor([len(series)], device=self.run.device)
        scaled = self.predictor.scaled(series[None].to(self.run.device), length)
        maps = self.predictor.net.activations(*scaled)[0].float().cpu()
        return maps[:, k] - maps.mean(1)

    def read(self, files: Sequence[Path]) -> tuple[list[str], list[Tensor], list[str]]:
        """Names and values of the series in files, and what is wrong with others. Raises `UserError` for a file that
        cannot be read, or has other channels than the model."""
        names, series, wrong = [], [], []
        for file in files:
            table = self._ordered(file, read_unlabelled(file))
            wrong += table.wrong
            for name, values in zip(table.names, table.values, strict=True):
                if len(values) > MOST_STEPS:
                    wrong.append(f"{name} has {number_of(len(values), 'step')}, but {MOST_STEPS:,} are the most")
                    continue
                names.append(name)
                series.append(torch.from_numpy(values).float())
        return names, series, wrong

    def _ordered(self, file: Path, table: SeriesTable) -> SeriesTable:
        """With the channels in the model's order."""
        ours, theirs = self.channels, table.channels
        if set(ours) <= set(theirs):
            places = [theirs.index(name) for name in ours]
            table.values = [each[:, places] for each in table.values]
        elif theirs and (len(theirs) != len(ours) or file.suffix.lower() != ".ts"):
            raise UserError(f"{file} has the channels {', '.join(theirs)}, but the model reads {', '.join(ours)}.")
        return table
