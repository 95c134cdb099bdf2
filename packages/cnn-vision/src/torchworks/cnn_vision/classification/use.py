"""The commands `predict`, `evaluate` and `explain` for a finished classifier.

Shape letters: N images, C channels, S pixels, K classes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.cnn_vision.classification import plots
from torchworks.cnn_vision.classification.build import classes_of, open_classes
from torchworks.cnn_vision.classification.metrics import by_class, confusion, scores
from torchworks.cnn_vision.data.learnable import unscored
from torchworks.cnn_vision.inference import report
from torchworks.cnn_vision.inference.commands import Evaluate, Explain, Predict
from torchworks.cnn_vision.inference.explain import explain_files
from torchworks.cnn_vision.inference.files import Prediction, predict_files
from torchworks.cnn_vision.inference.gradcam import heat_of
from torchworks.cnn_vision.inference.plots import draw_heat, draw_images
from torchworks.cnn_vision.inference.resized import dataset_probabilities, probabilities, resized
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, labels_of, open_source
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


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print the most probable classes of each image."""
    names = classes_known(run)

    def predictions(images: list[Tensor]) -> Iterator[Prediction]:
        for row in probabilities(run, torch.stack(images)):
            best = names[int(row.argmax())]
            yield Prediction(line(names, row, arguments.top), [[best, *(f"{value:.6f}" for value in row.tolist())]])

    predict_files(
        arguments.images,
        lambda path: resized(path, run),
        predictions,
        columns=["label", *names],
        table=arguments.csv,
        overwrite=arguments.overwrite,
    )
    return 0


def classes_known(run: FinishedRun) -> tuple[str, ...]:
    """The classes that the run's model predicts."""
    return run.predictor.signature.outputs[0].labels


def line(names: tuple[str, ...], row: Tensor, top: int) -> str:
    """The `top` most probable classes of an image with probabilities `row` (K,)."""
    values, places = (part[:top].tolist() for part in row.sort(descending=True))
    return "  ".join(f"{names[place]} {value:.1%}" for value, place in zip(values, places, strict=True))


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Write scores, plots and report, and print a table."""
    folder = arguments.out or arguments.run / "evaluation"
    written = ["evaluation.json", "confusion.png", "calibration.png", "mistakes.png", "report.html"]
    prepare(folder, written, overwrite=arguments.overwrite or arguments.out is None)
    names = classes_known(run)
    parts = test_parts(run, arguments.data, names)
    label = torch.cat([labels_of(part) for part in parts])
    probability = torch.cat([dataset_probabilities(run, part) for part in parts])
    metrics: dict[str, Any] = scores(probability, label)
    if arguments.data is None:
        metrics |= report.baselines(run.folder)
    table = by_class(probability, label, names)
    write_json(folder / "evaluation.json", {**metrics, "classes": table})
    plots.draw_confusion(folder / "confusion.png", confusion(probability, label), names)
    plots.draw_calibration(folder / "calibration.png", probability, label)
    _draw_mistakes(folder / "mistakes.png", parts, probability, label, names)
    title = f"{run.config.recipe} on {arguments.data or run.config.data}"
    report.write_report(folder, title, metrics, {"By class": table}, _PLOTS)
    print(report.text(metrics, table))
    for note in unscored(parts, "label"):
        print(note)
    print(folder)
    return 0


def test_parts(run: FinishedRun, data: str | None, names: tuple[str, ...]) -> list[Dataset]:
    """The run's test images, or all images of another source whose classes must have the same names."""
    if data is None:
        return [open_classes(run.config).test]
    source = open_source(data, run.config.loader)
    classes = classes_of(source)
    if classes != names:
        unknown = [name for name in classes if name not in names]
        lacking = [name for name in names if name not in classes]
        raise UserError(
            f"The classes of {source.name} are not those that the run was trained on: unknown to the run "
            f"{', '.join(unknown) or 'none'}; missing {', '.join(lacking) or 'none'}. Name the sub-folders or labels "
            f"like the run's: {', '.join(names)}."
        )
    return [source.train, source.test]


def _draw_mistakes(path: Path, parts: list[Dataset], probability: Tensor, label: Tensor, names: tuple) -> None:
    confidence, predicted = probability.max(1)
    wrong = (predicted != label).nonzero().flatten()
    wrong = wrong[confidence[wrong].argsort(descending=True)][:MOST_MISTAKES]
    everything = [(part, i) for part in parts for i in range(len(part))]
    images = [everything[i][0][everything[i][1]]["image"] for i in wrong.tolist()]
    titles = [f"{names[label[i]]} read as {names[predicted[i]]}\n{confidence[i]:.0%}" for i in wrong.tolist()]
    draw_images(path, torch.stack(images) if images else torch.empty(0), titles)


# ---- explain ---------------------------------------------------------------------------------------------


def explain(run: FinishedRun, arguments: Explain) -> int:
    """Draw Grad-CAM overlays of the given images, or of the run's most confident errors and correct predictions."""
    folder = arguments.out or arguments.run / "explanations"
    overwrite = arguments.overwrite or arguments.out is None
    if arguments.images:
        return explain_files(run, arguments.images, folder, draw_classes, overwrite=overwrite)
    prepare(folder, ["mistakes.png", "right.png"], overwrite=overwrite)
    for name, (images, titles) in of_test_images(run, arguments.n).items():
        if len(images):
            draw_classes(folder / f"{name}.png", run, images, titles)
            print(folder / f"{name}.png")
        else:
            print(f"{name}: none")
    return 0


def of_test_images(run: FinishedRun, n: int) -> dict[str, tuple[Tensor, list[str]]]:
    """The `n` most confident errors and correct predictions, with titles that name the true class."""
    names = classes_known(run)
    (test,) = test_parts(run, None, names)
    label, probability = labels_of(test), dataset_probabilities(run, test)
    confidence, predicted = probability.max(1)
    chosen = {}
    for name, wanted in (("mistakes", predicted != label), ("right", predicted == label)):
        rows = wanted.nonzero().flatten()
        rows = rows[confidence[rows].argsort(descending=True)][:n].tolist()
        images = torch.stack([test[i]["image"] for i in rows]) if rows else torch.empty(0)
        chosen[name] = (images, [f"true: {names[label[i]]}" for i in rows])
    return chosen


def draw_classes(path: Path, run: FinishedRun, images: Tensor, titles: list[str]) -> None:
    """Each image, uint8 (N, C, S, S), beside itself under the heat map of its predicted class."""
    names = classes_known(run)
    confidence, predicted = probabilities(run, images).max(1)
    texts = [[f"{names[k]} {p:.0%}"] for k, p in zip(predicted.tolist(), confidence.tolist(), strict=True)]
    draw_heat(path, images, heat_of(run, images, predicted)[:, None], titles, texts)
