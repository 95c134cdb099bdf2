"""The commands `classify`, `evaluate` and `explain`.

Shape letters: N texts, K classes.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.seq_models.classification import plots
from torchworks.seq_models.classification.commands import Classify, Explain
from torchworks.seq_models.classification.inputs import Reader, probabilities
from torchworks.seq_models.classification.metrics import by_class, scores
from torchworks.seq_models.classification.telling import most_telling, tell
from torchworks.seq_models.data.whole import open_whole
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.inputs import Given, of_arguments, of_file, refuse_wrong, say_unknown
from torchworks.shared.classification.metrics import confusion
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, labels_of, open_source
from torchworks.shared.data.texts import texts_in
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file, progress

MOST_ERRORS = 200
MOST_DRAWN = 50
"""Errors, and correct predictions, in a picture of words."""
WRITTEN = ["evaluation.json", "confusion.png", "calibration.png", "errors.csv"]
WRONG = "Texts that cannot be classified"
MOST_TOLD = 200
"""Test texts over which `explain` looks for the words that tell most."""


def _open(folder: Path, device: str) -> FinishedRun:
    run = open_run(folder, "seq-models", device)
    if (builder := read_manifest(folder).builder) != "seq-models-classifier":
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, made by {builder}, and not a classifier of texts. "
            "Use a run of classify-text or another recipe that begins with classify."
        )
    return run


def _names(run: FinishedRun) -> tuple[str, ...]:
    return run.predictor.signature.outputs[0].labels


# ---- classify --------------------------------------------------------------------------------------------


def classify(arguments: Classify) -> int:
    """Print a line for each text. Raises `UserError` that names those that could not be classified, once all others
    are done."""
    if not arguments.texts and arguments.file is None:
        raise UserError("No text was given. Write texts, each in quotation marks, after the run, or use --file FILE.")
    check_number("--top", arguments.top, 1)
    if arguments.out is not None:
        prepare_file(arguments.out, overwrite=arguments.overwrite, inputs=[arguments.file])
    run = _open(arguments.run, arguments.device)
    reader = Reader.of(run)
    given = [*of_arguments(arguments.texts), *of_file(arguments.file)]
    rows = [reader.tokens(each) for each in given]
    say_unknown(reader.tokenizer, [each.text for each, row in zip(given, rows, strict=True) if row is not None])
    good = [i for i, row in enumerate(rows) if row is not None]
    found = probabilities(run, [row for row in rows if row is not None], shown=True)
    for i, row in zip(good, found, strict=True):
        print(f"{_line(_names(run), row, arguments.top)}  {_short(given[i].text or '')}")
    if arguments.out is not None:
        _write_table(arguments.out, [given[i] for i in good], found, _names(run))
        print(arguments.out)
    refuse_wrong(reader.wrong, len(given), WRONG)
    return 0


def _line(names: Sequence[str], row: Tensor, top: int) -> str:
    """The `top` most probable classes of a text with probabilities `row` (K,)."""
    values, places = (part[:top].tolist() for part in row.sort(descending=True))
    return "  ".join(f"{names[place]} {value:.1%}" for value, place in zip(values, places, strict=True))


def _short(text: str, most: int = 70) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _write_table(file: Path, given: Iterable[Given], found: Tensor, names: Sequence[str]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "label", *names])
        for each, row in zip(given, found, strict=True):
            writer.writerow([each.text, names[int(row.argmax())], *(f"{value:.6f}" for value in row.tolist())])


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Write scores, plots and errors, and print a table."""
    run = _open(arguments.run, arguments.device)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, WRITTEN, overwrite=arguments.overwrite)
    names = _names(run)
    texts, label = _labelled(run, arguments.data)
    reader = Reader.of(run)
    rows = [_cut(reader, text) for text in texts]
    probability = probabilities(run, rows, shown=True)
    metrics: dict[str, Any] = scores(probability, label)
    if arguments.data is None:
        metrics |= _baselines(run.folder)
    table = by_class(probability, label, names)
    write_json(folder / "evaluation.json", {**metrics, "classes": table})
    plots.draw_confusion(folder / "confusion.png", confusion(probability, label), names)
    plots.draw_calibration(folder / "calibration.png", probability, label)
    _write_errors(folder / "errors.csv", texts, probability, label, names)
    _print(metrics, table)
    long = sum(len(reader.tokenizer.encode(text)) > reader.most for text in texts)
    if long:
        print(f"Cut at the {reader.most} tokens that the model reads: {long} of {len(texts)} texts.")
    print(folder)
    return 0


def _cut(reader: Reader, text: str) -> list[int]:
    """The ids of a text's tokens as the model was trained on them: the first `most`; unknown if there is none."""
    return reader.tokenizer.encode(text)[: reader.most] or [reader.tokenizer.unknown]


def _labelled(run: FinishedRun, data: str | None) -> tuple[list[str], Tensor]:
    """The run's test texts, or all texts of another source, and the numbers of the run's classes."""
    parts: list[Dataset]
    if data is None:
        source = open_source(run.config.data, run.config.loader)
        parts, (_, field) = [source.test], source.need("text", "label")
    else:
        parts, (_, field) = open_whole(data, run.config.loader, run.config.seed, "text", "label")
    names = _names(run)
    if unknown := [name for name in field.classes if name not in names]:
        raise UserError(
            f"The data {data or run.config.data} have classes that the run was not trained on: {', '.join(unknown)}. "
            f"It knows {', '.join(names)}."
        )
    numbers = torch.tensor([names.index(name) for name in field.classes])
    return [text for part in parts for text in texts_in(part)], numbers[torch.cat([labels_of(part) for part in parts])]


def _baselines(folder: Path) -> dict[str, float]:
    """The accuracies and calibration errors of the baselines, as they were measured on the run's test texts."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return {name: value for name, value in result.items() if name.startswith(("accuracy_", "calibration_"))}


def _write_errors(file: Path, texts: Sequence[str], probability: Tensor, label: Tensor, names: Sequence[str]) -> None:
    confidence, predicted = probability.max(1)
    wrong = (predicted != label).nonzero().flatten()
    wrong = wrong[confidence[wrong].argsort(descending=True, stable=True)][:MOST_ERRORS]
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["confidence", "predicted", "label", "text"])
        for i in wrong.tolist():
            writer.writerow([f"{confidence[i]:.4f}", names[int(predicted[i])], names[int(label[i])], texts[i]])


def _print(metrics: dict[str, Any], table: Sequence[dict[str, Any]]) -> None:
    width = max(map(len, metrics)) + 2
    for name, value in metrics.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
    wide = max(len("class"), *(len(row["class"]) for row in table)) + 2
    print(f"\n{'class':<{wide}}{'texts':>7}{'precision':>11}{'recall':>9}{'f1':>9}")
    for row in table:
        print(f"{row['class']:<{wide}}{row['texts']:>7}{row['precision']:>11.4f}{row['recall']:>9.4f}{row['f1']:>9.4f}")


# ---- explain ---------------------------------------------------------------------------------------------


def explain(arguments: Explain) -> int:
    """Print what the words of texts tell, and draw them."""
    check_number("--n", arguments.n, 1, MOST_DRAWN)
    check_number("The number of texts", len(arguments.texts), 0, 2 * MOST_DRAWN)
    run = _open(arguments.run, arguments.device)
    file = arguments.out or arguments.run / "words.png"
    prepare_image_file(file, overwrite=arguments.overwrite)
    reader = Reader.of(run)
    given = list(of_arguments(arguments.texts))
    say_unknown(reader.tokenizer, [each.text for each in given])
    if given:
        good = [each.text for each in given if reader.tokens(each) is not None and each.text is not None]
        shown = [(text, "") for text in good]
    else:
        shown = _of_test_texts(run, reader, arguments.n)
    drawn = []
    for text, truth in shown:
        row, words = tell(run, reader, text)
        title = f"{_line(_names(run), row, 1)}{truth}"
        drawn.append((title, words))
        telling = sorted(words, key=lambda pair: -abs(pair[1]))[:6]
        print(f"{title}: {_short(text)}\n    " + "  ".join(f"{word} {value:+.2f}" for word, value in telling))
    if drawn:
        plots.draw_words(file, drawn)
        print(file)
    refuse_wrong(reader.wrong, len(given), WRONG)
    return 0


def _of_test_texts(run: FinishedRun, reader: Reader, n: int) -> list[tuple[str, str]]:
    """The `n` most confident errors and `n` correct predictions, with the true class. Prints the words that tell
    most."""
    texts, label = _labelled(run, None)
    names = _names(run)
    probability = probabilities(run, [_cut(reader, text) for text in texts], shown=True)
    confidence, predicted = probability.max(1)
    step = -(-len(texts) // MOST_TOLD)
    some = progress(range(0, len(texts), step), "words", len(texts) // step)
    told = [(int(predicted[i]), tell(run, reader, texts[i])[1]) for i in some]
    for name, words in most_telling(told, names).items():
        print(f"{name}: " + "  ".join(f"{word} {value:+.2f}" for word, value, _ in words))
    order = confidence.argsort(descending=True, stable=True)
    wrong, right = (order[(predicted != label)[order] == each][:n].tolist() for each in (True, False))
    return [(texts[i], f" (is {names[label[i]]})") for i in (*wrong, *right)]
