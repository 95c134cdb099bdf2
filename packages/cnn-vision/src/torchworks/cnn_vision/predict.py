"""The command `predict`: the classes of a user's images."""

import csv
from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.commands import Predict
from torchworks.shared.config import UserError
from torchworks.shared.data.folders import some
from torchworks.shared.data.images import Unreadable, find_images, read
from torchworks.shared.finished import FinishedRun, open_run
from torchworks.shared.outputs import progress

CHUNK = 64  # images computed at once


def predict(arguments: Predict) -> int:
    """Print a line for each image. Raises `UserError` that names those that could not be read, once all others are
    done."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    labels = run.predictor.signature.outputs[0].labels
    if not arguments.top >= 1:
        raise UserError(f"--top is {arguments.top}; it must be at least 1.")
    files, bad = find_images(arguments.images)
    rows: dict[Path, Tensor] = {}
    names = list(files)
    for start in progress(range(0, len(names), CHUNK), "reading", -(-len(names) // CHUNK)):
        found, unreadable = read_images(names[start : start + CHUNK], run)
        bad |= unreadable
        if found:
            rows |= dict(zip(found, probabilities(run, torch.stack(list(found.values()))), strict=True))
    width = max((len(str(path)) for path in rows), default=0)
    for path, row in rows.items():
        print(f"{path!s:<{width}}  {_line(row, labels, arguments.top)}")
    if arguments.csv is not None:
        _write(arguments.csv, rows, labels)
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")
    return 0


@torch.no_grad()
def probabilities(run: FinishedRun, images: Tensor) -> Tensor:
    """(N, K) on the CPU, of images uint8 (N, C, S, S)."""
    return torch.cat([run.predictor(part.to(run.device)).cpu() for part in images.split(CHUNK)])


def read_images(files: list[Path], run: FinishedRun) -> tuple[dict[Path, Tensor], dict[Path, str]]:
    """The images as the model wants them, and why others cannot be read."""
    channels, size = (int(n) for n in run.predictor.signature.inputs[0].shape[1:3])
    images: dict[Path, Tensor] = {}
    bad: dict[Path, str] = {}
    for file in files:
        try:
            images[file] = read(file, channels, size)
        except Unreadable as error:
            bad[file] = str(error)
    return images, bad


def _line(row: Tensor, labels: tuple[str, ...], top: int) -> str:
    values, places = row.topk(min(top, len(labels)))
    return "  ".join(
        f"{labels[place]} {value:.1%}" for value, place in zip(values.tolist(), places.tolist(), strict=True)
    )


def _write(path: Path, rows: dict[Path, Tensor], labels: tuple[str, ...]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", *labels])
        for image, row in rows.items():
            table.writerow([image, labels[int(row.argmax())], *(f"{value:.6f}" for value in row.tolist())])
