"""What commands do with a finished run whose model gives the probability of each class: classes of files, and scores of
data sets.

Shape letters: N images, C channels, S pixels, K classes.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from torchworks.shared.classification import plots
from torchworks.shared.classification.metrics import by_class, confusion, scores
from torchworks.shared.data import Dataset, labels_of
from torchworks.shared.data.learnable import unscored
from torchworks.shared.inference import report
from torchworks.shared.inference.files import Prediction, predict_files
from torchworks.shared.inference.plots import draw_images
from torchworks.shared.inference.resized import dataset_probabilities, probabilities, resized
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare

MOST_MISTAKES = 24
_PLOTS = {
    "confusion": "Confusion matrix",
    "calibration": "Calibration: accuracy by confidence",
    "mistakes": "Most confident errors",
}


# ---- predict ---------------------------------------------------------------------------------------------


def classify_files(
    run: FinishedRun,
    images: Sequence[Path],
    *,
    top: int,
    table: Path | None = None,
    overwrite: bool = False,
    drawings: Path | None = None,
    draw: Callable[[Tensor, Tensor], list[Image.Image]] | None = None,
) -> None:
    """Print the `top` most probable classes of each image. With `draw`, from images uint8 (N, C, S, S) and their
    probabilities (N, K), a drawing of each goes into the folder `drawings`. Raises `UserError` that names the images
    that could not be read, once all others are done."""
    names = classes_known(run)

    def predictions(images: list[Tensor]) -> Iterator[Prediction]:
        stacked = torch.stack(images)
        found = probabilities(run, stacked)
        drawn = draw(stacked, found) if draw and drawings is not None else [None] * len(images)
        for row, drawing in zip(found, drawn, strict=True):
            best = names[int(row.argmax())]
            cells = [best, *(f"{value:.6f}" for value in row.tolist())]
            yield Prediction(line(names, row, top), [cells], drawing)

    predict_files(
        images,
        lambda path: resized(path, run),
        predictions,
        columns=["label", *names],
        table=table,
        drawings=drawings,
        overwrite=overwrite,
    )


def classes_known(run: FinishedRun) -> tuple[str, ...]:
    """The classes that the run's model predicts."""
    return run.predictor.signature.outputs[0].labels


def line(names: tuple[str, ...], row: Tensor, top: int) -> str:
    """The `top` most probable classes of an image with probabilities `row` (K,)."""
    values, places = (part[:top].tolist() for part in row.sort(descending=True))
    return "  ".join(f"{names[place]} {value:.1%}" for value, place in zip(values, places, strict=True))


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate_classifier(
    run: FinishedRun, parts: Sequence[Dataset], *, data: str | None, out: Path | None, overwrite: bool
) -> int:
    """Score the run on `parts`, its test images or those of other `data`: write scores, plots and report, and print a
    table."""
    folder = out or run.folder / "evaluation"
    written = ["evaluation.json", "confusion.png", "calibration.png", "mistakes.png", "report.html"]
    prepare(folder, written, overwrite=overwrite or out is None)
    names = classes_known(run)
    label = torch.cat([labels_of(part) for part in parts])
    probability = torch.cat([dataset_probabilities(run, part) for part in parts])
    metrics: dict[str, Any] = scores(probability, label)
    if data is None:
        metrics |= report.baselines(run.folder)
    table = by_class(probability, label, names)
    write_json(folder / "evaluation.json", {**metrics, "classes": table})
    plots.draw_confusion(folder / "confusion.png", confusion(probability, label), names)
    plots.draw_calibration(folder / "calibration.png", probability, label)
    _draw_mistakes(folder / "mistakes.png", parts, probability, label, names)
    title = f"{run.config.recipe} on {data or run.config.data}"
    report.write_report(folder, title, metrics, {"By class": table}, _PLOTS)
    print(report.text(metrics, table))
    for note in unscored(parts, "label"):
        print(note)
    print(folder)
    return 0


def _draw_mistakes(path: Path, parts: Sequence[Dataset], probability: Tensor, label: Tensor, names: tuple) -> None:
    confidence, predicted = probability.max(1)
    wrong = (predicted != label).nonzero().flatten()
    wrong = wrong[confidence[wrong].argsort(descending=True)][:MOST_MISTAKES]
    everything = [(part, i) for part in parts for i in range(len(part))]
    images = [everything[i][0][everything[i][1]]["image"] for i in wrong.tolist()]
    titles = [f"{names[label[i]]} read as {names[predicted[i]]}\n{confidence[i]:.0%}" for i in wrong.tolist()]
    draw_images(path, torch.stack(images) if images else torch.empty(0), titles)
