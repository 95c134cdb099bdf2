"""The commands `classify`, `evaluate` and `explain` for series.

Shape letters: N series, T steps, C channels, K classes.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.seq_models.classification.commands import Classify, Explain
from torchworks.seq_models.classification.metrics import by_class, scores
from torchworks.seq_models.classification.plots import draw_calibration, draw_confusion
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.inputs import refuse_wrong
from torchworks.seq_models.series_classification.inputs import OpenedClassifier
from torchworks.seq_models.series_classification.plots import Told, draw_series
from torchworks.shared.classification.metrics import confusion
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, labels_of, open_source
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file

WRITTEN = ["evaluation.json", "confusion.png", "calibration.png", "errors.png"]
WRONG = "Series that cannot be classified"
MOST_DRAWN = 30
ERRORS = 12
"""Errors in a picture of an evaluation."""


def _files(texts: Sequence[str], file: Path | None = None) -> list[Path]:
    return [*map(Path, texts), *([file] if file else [])]


# ---- classify --------------------------------------------------------------------------------------------


def classify(arguments: Classify) -> int:
    """Print a line for each series. Raises `UserError` that names those that could not be classified, once all others
    are done."""
    files = _files(arguments.texts, arguments.file)
    if not files:
        raise UserError("No file was given. Name .ts or .csv files with series after the run.")
    check_number("--top", arguments.top, 1)
    if arguments.out is not None:
        prepare_file(arguments.out, overwrite=arguments.overwrite, inputs=files)
    opened = OpenedClassifier.of(arguments.run, arguments.device)
    names, series, wrong = opened.read(files)
    if series:
        found = opened.probabilities(series)
        for name, row in zip(names, found, strict=True):
            print(f"{_line(opened.names, row, arguments.top)}  {name}")
        if arguments.out is not None:
            _write_table(arguments.out, names, found, opened.names)
            print(arguments.out)
    refuse_wrong(wrong, len(series) + len(wrong), WRONG)
    return 0


def _line(names: Sequence[str], row: Tensor, top: int) -> str:
    """The `top` most probable classes of a series with probabilities `row` (K,)."""
    values, places = (part[:top].tolist() for part in row.sort(descending=True))
    return "  ".join(f"{names[place]} {value:.1%}" for value, place in zip(values, places, strict=True))


def _write_table(file: Path, series: Sequence[str], found: Tensor, names: Sequence[str]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["series", "label", *names])
        for name, row in zip(series, found, strict=True):
            writer.writerow([name, names[int(row.argmax())], *(f"{value:.6f}" for value in row.tolist())])


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Write scores and plots, and print a table."""
    opened = OpenedClassifier.of(arguments.run, arguments.device)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, WRITTEN, overwrite=arguments.overwrite)
    series, label = _labelled(opened, arguments.data)
    probability = opened.probabilities(series)
    metrics: dict[str, Any] = scores(probability, label)
    if arguments.data is None:
        result = json.loads((arguments.run / "result.json").read_text(encoding="utf-8"))
        metrics |= {name: value for name, value in result.items() if name.startswith(("accuracy_", "dtw_"))}
    table = [{"series" if name == "texts" else name: value for name, value in row.items()}
             for row in by_class(probability, label, opened.names)]  # fmt: skip
    write_json(folder / "evaluation.json", {**metrics, "classes": table})
    draw_confusion(folder / "confusion.png", confusion(probability, label), opened.names)
    draw_calibration(folder / "calibration.png", probability, label, noun="series")
    wrong = _most_confident(probability, label, right=False)[:ERRORS]
    right = _most_confident(probability, label, right=True)[: max(0, 3 - len(wrong))]
    draw_series(folder / "errors.png", _told(opened, series, probability, label, [*wrong, *right]), opened.channels)
    _print(metrics, table)
    print(folder)
    return 0


def _labelled(opened: OpenedClassifier, data: str | None) -> tuple[list[Tensor], Tensor]:
    """The run's test series, or all series of another source, and the numbers of the run's classes."""
    config = opened.run.config
    source = open_source(data or config.data, config.loader, config.seed)
    series, field = source.need("series", "label")
    if series.shape[1] != len(opened.channels):
        raise UserError(f"{data} has {series.shape[1]} channels, but the model reads {', '.join(opened.channels)}.")
    if unknown := [name for name in field.classes if name not in opened.names]:
        raise UserError(
            f"The data {data} have classes that the run was not trained on: {', '.join(unknown)}. It knows "
            f"{', '.join(opened.names)}."
        )
    parts: list[Dataset] = [source.test] if data is None else [source.train, source.test]
    numbers = torch.tensor([opened.names.index(name) for name in field.classes])
    rows = [part[i]["series"] for part in parts for i in range(len(part))]
    return rows, numbers[torch.cat([labels_of(part) for part in parts])]


def _most_confident(probability: Tensor, label: Tensor, *, right: bool) -> list[int]:
    confidence, predicted = probability.max(1)
    rows = ((predicted == label) == right).nonzero().flatten()
    return rows[confidence[rows].argsort(descending=True, stable=True)].tolist()


def _told(
    opened: OpenedClassifier, series: Sequence[Tensor], probability: Tensor, label: Tensor | None, rows: Sequence[int],
    names: Sequence[str] = (),
) -> list[Told]:  # fmt: skip
    told = []
    for i in rows:
        k = int(probability[i].argmax())
        truth = f" (is {opened.names[int(label[i])]})" if label is not None else ""
        title = f"{opened.names[k]} {probability[i, k]:.1%}{truth}{f': {names[i]}' if names else ''}"
        told.append(Told(title, series[i], opened.tells(series[i], k)))
    return told


def _print(metrics: dict[str, Any], table: Sequence[dict[str, Any]]) -> None:
    width = max(map(len, metrics)) + 2
    for name, value in metrics.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
    wide = max(len("class"), *(len(row["class"]) for row in table)) + 2
    print(f"\n{'class':<{wide}}{'series':>7}{'precision':>11}{'recall':>9}{'f1':>9}")
    for row in table:
        print(
            f"{row['class']:<{wide}}{row['series']:>7}{row['precision']:>11.4f}{row['recall']:>9.4f}{row['f1']:>9.4f}"
        )


# ---- explain ---------------------------------------------------------------------------------------------


def explain(arguments: Explain) -> int:
    """Draw series on a ground that says which steps speak for the predicted class (class activation maps)."""
    check_number("--n", arguments.n, 1, MOST_DRAWN)
    files = _files(arguments.texts)
    file = arguments.out or arguments.run / "series.png"
    prepare_image_file(file, overwrite=arguments.overwrite, inputs=files)
    opened = OpenedClassifier.of(arguments.run, arguments.device)
    if files:
        names, series, wrong = opened.read(files)
        probability, label = opened.probabilities(series), None
        rows: list[int] = list(range(len(series)))[:MOST_DRAWN]
        if len(series) > MOST_DRAWN:
            print(f"The first {MOST_DRAWN} of {len(series)} series are explained.")
    else:
        series, label = _labelled(opened, None)
        names, wrong, probability = [], [], opened.probabilities(series)
        rows = [i for right in (False, True) for i in _most_confident(probability, label, right=right)[: arguments.n]]
    told = _told(opened, series, probability, label, rows, names)
    for each in told:
        first = each.tells.argsort(descending=True)[:3].tolist()
        print(f"{each.title}: most by steps {', '.join(str(i + 1) for i in sorted(first))} of {len(each.values)}")
    if told:
        draw_series(file, told, opened.channels)
        print(file)
    refuse_wrong(wrong, len(series) + len(wrong), WRONG)
    return 0
