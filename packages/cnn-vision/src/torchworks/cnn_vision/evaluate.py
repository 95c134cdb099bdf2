"""The command `evaluate`: every score of a finished run with its interval, and a report that opens without a server."""

import base64
import html
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.cnn_vision import pictures
from torchworks.cnn_vision.commands import Evaluate
from torchworks.cnn_vision.config import ClassifierConfig
from torchworks.cnn_vision.experiments import classes_of, open_classes
from torchworks.cnn_vision.predict import CHUNK, probabilities
from torchworks.cnn_vision.scores import by_class, confusion, scores
from torchworks.cnn_vision.subset import labels_of
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, open_source
from torchworks.shared.finished import FinishedRun, open_run
from torchworks.shared.outputs import make_folder
from torchworks.shared.run import write_json

MOST_MISTAKES = 24


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write the report and print a table."""
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    names = run.predictor.signature.outputs[0].labels
    parts = test_parts(run, arguments.data, names)
    folder = arguments.out or arguments.run / "evaluation"
    make_folder(folder)
    label = torch.cat([labels_of(part) for part in parts])
    probability = torch.cat([answers(run, part) for part in parts])
    figures: dict[str, Any] = scores(probability, label)
    if arguments.data is None:
        figures |= _baselines(arguments.run)
    table = by_class(probability, label, names)
    write_json(folder / "evaluation.json", {**figures, "classes": table})
    pictures.draw_confusion(folder / "confusion.png", confusion(probability, label), names)
    pictures.draw_calibration(folder / "calibration.png", probability, label)
    _draw_mistakes(folder / "mistakes.png", parts, probability, label, names)
    write_report(folder, f"{run.config.recipe} on {arguments.data or run.config.data}", figures, table)
    print(_text(figures, table))
    print(folder)
    return 0


def test_parts(run: FinishedRun, data: str | None, names: tuple[str, ...]) -> list[Dataset]:
    """The run's test images, or all images of another source whose classes must have the same names."""
    if data is None:
        assert isinstance(run.config, ClassifierConfig)
        return [open_classes(run.config).test]
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


def answers(run: FinishedRun, dataset: Dataset) -> Tensor:
    """Probabilities (N, K) of all images, in order."""
    parts = []
    for start in range(0, len(dataset), CHUNK):
        rows = range(start, min(start + CHUNK, len(dataset)))
        parts.append(probabilities(run, torch.stack([dataset[i]["image"] for i in rows])))
    return torch.cat(parts)


def _baselines(folder: Path) -> dict[str, float]:
    result = json.loads((folder / "result.json").read_text())
    return {name: result[name] for name in ("accuracy_baseline", "accuracy_commonest_class") if name in result}


def _draw_mistakes(path: Path, parts: list[Dataset], probability: Tensor, label: Tensor, names: tuple) -> None:
    confidence, predicted = probability.max(1)
    wrong = (predicted != label).nonzero().flatten()
    wrong = wrong[confidence[wrong].argsort(descending=True)][:MOST_MISTAKES]
    everything = [(part, i) for part in parts for i in range(len(part))]
    images = [everything[i][0][everything[i][1]]["image"] for i in wrong.tolist()]
    titles = [f"{names[label[i]]} read as {names[predicted[i]]}\n{confidence[i]:.0%}" for i in wrong.tolist()]
    pictures.draw_mistakes(path, torch.stack(images) if images else torch.empty(0), titles)


# ---- the report ------------------------------------------------------------------------------------------

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
       background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .25rem .9rem .25rem 0; text-align: right; }
td:first-child, th:first-child { text-align: left; } tr + tr { border-top: 1px solid #ddd; }
img { max-width: 100%; background: #fff; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #16181c; } tr + tr { border-color: #444; } }
"""
_PICTURES = {
    "confusion": "Confusion matrix",
    "calibration": "Calibration: how often it is right when it is so sure",
    "mistakes": "Most confident mistakes",
}


def write_report(folder: Path, title: str, figures: dict[str, Any], table: list[dict[str, Any]]) -> None:
    """`report.html`: scores, the table by class and the pictures of `folder` in one file."""
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{_shown(value)}</td></tr>" for name, value in figures.items())
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_shown(value))}</td>" for value in row.values()) + "</tr>" for row in table
    )
    images = "".join(
        f'<h2>{text}</h2><img alt="{text}" src="data:image/png;base64,'
        f'{base64.b64encode((folder / f"{name}.png").read_bytes()).decode()}">'
        for name, text in _PICTURES.items()
    )
    (folder / "report.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{html.escape(title)}</h1><h2>Scores</h2><table>{rows}</table>"
        f"<h2>By class</h2><table><tr>{head}</tr>{body}</table>{images}</html>\n"
    )


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _text(figures: dict[str, Any], table: list[dict[str, Any]]) -> str:
    width = max(len(name) for name in [*figures, *(row["class"] for row in table)]) + 2
    lines = [f"{name:<{width}}{_shown(value):>8}" for name, value in figures.items()]
    lines += ["", f"{'class':<{width}}" + "".join(f"{name:>11}" for name in list(table[0])[1:])]
    lines += [
        f"{row['class']:<{width}}" + "".join(f"{_shown(value):>11}" for value in list(row.values())[1:])
        for row in table
    ]
    return "\n".join(lines)
