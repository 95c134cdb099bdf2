"""The command `evaluate`: every score of a finished run with its interval, and a report that opens without a server."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.cnn_vision.classification.build import classes_of, open_classes
from torchworks.cnn_vision.classification.metrics import by_class, confusion, scores
from torchworks.cnn_vision.classification.predictor import FindingsPredictor
from torchworks.cnn_vision.commands import Evaluate
from torchworks.cnn_vision.config import ClassifierConfig
from torchworks.cnn_vision.inference import answers, report
from torchworks.cnn_vision.inference import plots as pictures
from torchworks.cnn_vision.inference.dispatch import module_of
from torchworks.cnn_vision.multilabel.evaluate import evaluate_findings
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, labels_of, open_source
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import make_folder

MOST_MISTAKES = 24
_BASELINES = ("_baseline", "_chance", "_commonest_class", "_constant_guess")
_PICTURES = {
    "confusion": "Confusion matrix",
    "calibration": "Calibration: how often it is right when it is so sure",
    "mistakes": "Most confident mistakes",
}


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write the report and print a table."""
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    if module := module_of(run):
        return module.evaluate(run, arguments)
    folder = arguments.out or arguments.run / "evaluation"
    make_folder(folder)
    chosen = evaluate_findings if isinstance(run.predictor, FindingsPredictor) else evaluate_classes
    print(chosen(run, arguments.data, folder, baselines(arguments.run) if arguments.data is None else {}))
    print(folder)
    return 0


def evaluate_classes(run: FinishedRun, data: str | None, folder: Path, beside: dict[str, float]) -> str:
    """Write scores, pictures and report of a classifier into `folder`; returns the text to print."""
    names = run.predictor.signature.outputs[0].labels
    parts = test_parts(run, data, names)
    label = torch.cat([labels_of(part) for part in parts])
    probability = torch.cat([answers(run, part) for part in parts])
    figures: dict[str, Any] = scores(probability, label) | beside
    table = by_class(probability, label, names)
    write_json(folder / "evaluation.json", {**figures, "classes": table})
    pictures.draw_confusion(folder / "confusion.png", confusion(probability, label), names)
    pictures.draw_calibration(folder / "calibration.png", probability, label)
    _draw_mistakes(folder / "mistakes.png", parts, probability, label, names)
    title = f"{run.config.recipe} on {data or run.config.data}"
    report.write_report(folder, title, figures, {"By class": table}, _PICTURES)
    return report.text(figures, table)


def test_parts(run: FinishedRun, data: str | None, names: tuple[str, ...]) -> list[Dataset]:
    """The run's test images, or all images of another source whose classes must have the same names."""
    if data is None:
        own = run.config
        opened = open_classes(own) if isinstance(own, ClassifierConfig) else open_source(own.data, own.loader)
        return [opened.test]
    source = open_source(data, run.config.loader)
    classes = classes_of(source)
    if classes != names:
        unknown = [name for name in classes if name not in names]
        lacking = [name for name in names if name not in classes]
        raise UserError(
            f"The classes of {source.name} are not those that the run was trained on: "
            f"unknown to it {', '.join(unknown) or 'none'}; lacking {', '.join(lacking) or 'none'}. Name the "
            f"sub-folders or labels like the run's: {', '.join(names)}."
        )
    return [source.train, source.test]


def baselines(folder: Path) -> dict[str, float]:
    """What the run's scores on its own test images are to be read against."""
    result = json.loads((folder / "result.json").read_text())
    return {name: value for name, value in result.items() if name.endswith(_BASELINES)}


def _draw_mistakes(path: Path, parts: list[Dataset], probability: Tensor, label: Tensor, names: tuple) -> None:
    confidence, predicted = probability.max(1)
    wrong = (predicted != label).nonzero().flatten()
    wrong = wrong[confidence[wrong].argsort(descending=True)][:MOST_MISTAKES]
    everything = [(part, i) for part in parts for i in range(len(part))]
    images = [everything[i][0][everything[i][1]]["image"] for i in wrong.tolist()]
    titles = [f"{names[label[i]]} read as {names[predicted[i]]}\n{confidence[i]:.0%}" for i in wrong.tolist()]
    pictures.draw_mistakes(path, torch.stack(images) if images else torch.empty(0), titles)
