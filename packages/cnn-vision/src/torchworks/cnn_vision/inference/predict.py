"""The command `predict`: the classes of a user's images, or the findings in them, or what another kind of net sees."""

import csv
from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.classification.predictor import FindingsPredictor
from torchworks.cnn_vision.commands import Predict
from torchworks.cnn_vision.inference.answers import CHUNK, probabilities, read_images
from torchworks.cnn_vision.inference.dispatch import module_of
from torchworks.shared.config import UserError
from torchworks.shared.data.images import find_images
from torchworks.shared.data.listing import some
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import progress


def predict(arguments: Predict) -> int:
    """Print a line for each image. Raises `UserError` that names those that could not be read, once all others are
    done."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    if not 0 < arguments.least_score < 1:
        raise UserError(f"--least-score is {arguments.least_score}; it must be above 0 and below 1.")
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    if module := module_of(run):
        return module.predict(run, arguments)
    return _predict_classes(run, arguments)


def _predict_classes(run: FinishedRun, arguments: Predict) -> int:
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
        print(f"{path!s:<{width}}  {line(run, row, arguments.top)}")
    if arguments.csv is not None:
        _write(arguments.csv, run, rows)
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")
    return 0


def line(run: FinishedRun, row: Tensor, top: int) -> str:
    """The `top` likeliest classes of an image with probabilities `row` (K,); of findings also all that are found, and
    marked so."""
    labels, found = run.predictor.signature.outputs[0].labels, _found(run, row)
    values, places = row.sort(descending=True)
    return "  ".join(
        f"{labels[place]} {value:.1%}{' (found)' * found[place]}"
        for rank, (value, place) in enumerate(zip(values.tolist(), places.tolist(), strict=True))
        if rank < top or found[place]
    )


def _found(run: FinishedRun, row: Tensor) -> list[bool]:
    """Which findings are found; none of what are classes."""
    return run.predictor.found(row).tolist() if isinstance(run.predictor, FindingsPredictor) else [False] * len(row)


def _write(path: Path, run: FinishedRun, rows: dict[Path, Tensor]) -> None:
    labels = run.predictor.signature.outputs[0].labels
    findings = isinstance(run.predictor, FindingsPredictor)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", *([f"{label}_found" for label in labels] if findings else ["label"]), *labels])
        for image, row in rows.items():
            said = map(int, _found(run, row)) if findings else [labels[int(row.argmax())]]
            table.writerow([image, *said, *(f"{value:.6f}" for value in row.tolist())])
