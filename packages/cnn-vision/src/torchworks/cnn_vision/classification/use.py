"""The commands `predict`, `evaluate` and `explain` for a finished classifier.

Shape letters: N images, C channels, S pixels, K classes.
"""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.classification.build import classes_of, open_classes
from torchworks.cnn_vision.inference.commands import Evaluate, Explain, Predict
from torchworks.cnn_vision.inference.explain import explain_files
from torchworks.cnn_vision.inference.gradcam import heat_of
from torchworks.shared.classification.use import classes_known, classify_files, evaluate_classifier
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, labels_of, open_source
from torchworks.shared.inference.plots import draw_heat
from torchworks.shared.inference.resized import dataset_probabilities, probabilities
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print the most probable classes of each image."""
    classify_files(run, arguments.images, top=arguments.top, table=arguments.csv, overwrite=arguments.overwrite)
    return 0


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Write scores, plots and report, and print a table."""
    parts = test_parts(run, arguments.data, classes_known(run))
    return evaluate_classifier(run, parts, data=arguments.data, out=arguments.out, overwrite=arguments.overwrite)


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
