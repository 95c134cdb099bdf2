"""The commands `estimate` and `columns`, and what `evaluate` does with models of tables.

Shape letters: N rows, K classes.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from torchworks.seq_models.classification.commands import Explain
from torchworks.seq_models.data.table_columns import Columns, columns_of, rows_of
from torchworks.seq_models.data.table_config import TableConfig
from torchworks.seq_models.data.table_files import NAME, RESERVED, target_of
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.tabular import commands
from torchworks.seq_models.tabular.baselines import NAMES, baselines, verdict
from torchworks.seq_models.tabular.config import TabularConfig
from torchworks.seq_models.tabular.importance import draw, importances
from torchworks.seq_models.tabular.metrics import class_scores, number_scores
from torchworks.seq_models.tabular.predictor import BUILDER, TabularPredictor
from torchworks.seq_models.tabular.task import answered
from torchworks.shared.config import UserError
from torchworks.shared.data import Source, open_source
from torchworks.shared.data.listing import some
from torchworks.shared.data.mixed_columns import is_missing, is_number, plain_names, tensors_of
from torchworks.shared.data.text_tables import read_cells
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file

MOST_REPEATS = 1000


def _open(folder: Path, device: str) -> tuple[FinishedRun, TabularPredictor]:
    run = open_run(folder, "seq-models", device)
    if (builder := read_manifest(folder).builder) != BUILDER:
        raise UserError(
            f"{folder} is a run of the recipe {run.config.recipe}, made by {builder}, and no model of tables. Use a "
            "run of tabular or another recipe that begins with tabular."
        )
    return run, cast(TabularPredictor, run.predictor)


# ---- estimate ------------------------------------------------------------------------------------------------


def estimate(arguments: commands.Estimate) -> int:
    """Print a line for each row. Raises `UserError` for cells that should be numbers and are none."""
    check_number("--top", arguments.top, 1)
    if arguments.out is not None:
        prepare_file(arguments.out, overwrite=arguments.overwrite, inputs=[arguments.table])
    _, predictor = _open(arguments.run, arguments.device)
    lines, rows = read_rows(arguments.table, predictor.columns)
    found = answered(predictor.net, rows, predictor.columns, predictor.scaling)
    for line, row in zip(lines, found, strict=True):
        print(f"line {line:<6} {said(row, predictor.columns.classes, arguments.top)}")
    if arguments.out is not None:
        _write(arguments.out, lines, found, predictor.columns.classes)
        print(arguments.out)
    return 0


def read_rows(file: Path, columns: Columns) -> tuple[list[int], dict[str, Tensor]]:
    """The lines of a table and its columns as the model reads them. Columns that it lacks and categories that training
    had not are printed, and missing. Raises `UserError` naming cells that are no numbers."""
    cells = read_cells(file, ())
    names = plain_names([name for name in cells[0][1] if name], RESERVED)
    rows = [{plain: row[name] for name, plain in names.items()} for _, row in cells]
    known = {*names.values()}
    if lacking := [name for name in columns.names if name not in known]:
        if len(lacking) == len(columns.names):
            raise UserError(f"{file} has none of the columns that the model knows: {some(lacking, 10)}.")
        print(f"{file} lacks {some(lacking, 10)}, so the model does without.")
    wrong = [
        f"line {line} has the {name} '{row[name][:40]}'"
        for (line, _), row in zip(cells, rows, strict=True)
        for name in columns.numbers if not (is_missing(row.get(name, "")) or is_number(row[name]))
    ]  # fmt: skip
    if wrong:
        raise UserError(f"{file} has {len(wrong)} cells that should be numbers: {some(wrong, 10)}. Put them right.")
    for name, values in columns.categories.items():
        if unknown := sorted({row[name] for row in rows if row.get(name) and row[name] not in values}):
            print(f"Training had no {name} {some(unknown)}: it counts as not known.")
    return [line for line, _ in cells], tensors_of(rows, columns)


def said(row: Tensor, classes: Sequence[str], top: int) -> str:
    """The most probable classes of a row (K,), or its number ()."""
    if not classes:
        return f"{row.item():.6g}"
    values, places = row.topk(min(top, len(classes)))
    return "  ".join(f"{classes[i]} {value:.1%}" for i, value in zip(places.tolist(), values.tolist(), strict=True))


def _write(file: Path, lines: Sequence[int], found: Tensor, classes: Sequence[str]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["line", "answer", *classes])
        for line, row in zip(lines, found, strict=True):
            best = classes[int(row.argmax())] if classes else f"{row.item():.9g}"
            writer.writerow([line, best, *(f"{value:.6f}" for value in (row.tolist() if classes else []))])


# ---- columns -------------------------------------------------------------------------------------------------


def columns(arguments: commands.Columns) -> int:
    """Print and draw how much each column is worth on the test part."""
    check_number("--repeats", arguments.repeats, 1, MOST_REPEATS)
    file = arguments.out or arguments.run / "columns.png"
    prepare_image_file(file, overwrite=arguments.overwrite)
    run, predictor = _open(arguments.run, arguments.device)
    test = rows_of(_same_source(run, predictor).test)
    found = importances(predictor.net, test, predictor.columns, predictor.scaling, repeats=arguments.repeats,
                        seed=arguments.seed)  # fmt: skip
    classes = bool(predictor.columns.classes)
    what = "accuracy lost, in points" if classes else "RMSE gained"
    wide = max(map(len, predictor.columns.names), default=0)
    print(f"{'column':<{wide}}  {what}" + ("   nats gained" if classes else ""))
    for each in found:
        factor = 100 if classes else 1
        line = f"{each.column:<{wide}}  {factor * each.worse:>10.4g} ± {factor * each.deviation:.2g}"
        print(f"{line:<{wide + 28}}{each.nll:>10.4f}" if classes else line)
    draw(file, found, "accuracy lost if shuffled (share of the test rows)" if classes else what + " if shuffled")
    print(file)
    return 0


def explain(arguments: Explain) -> int:
    """The same by the command `explain`. Raises `UserError` for texts, which no table has."""
    if arguments.texts:
        raise UserError(
            f"{arguments.run} is a run on a table, whose columns are explained by its own test rows. Leave "
            f"{some(list(arguments.texts))} out; `estimate` predicts other rows."
        )
    return columns(commands.Columns(arguments.run, out=arguments.out, overwrite=arguments.overwrite,
                                    device=arguments.device))  # fmt: skip


def _same_source(run: FinishedRun, predictor: TabularPredictor) -> Source:
    config = cast(TabularConfig, run.config)
    source = open_source(config.data, config.loader, config.seed)
    if columns_of(source.schema, source.name) != predictor.columns:
        raise UserError(
            f"The data of {run.folder}, {config.data}, have changed since the run was made: they have other columns or "
            "categories. Put them back, or train again."
        )
    return source


# ---- evaluate ------------------------------------------------------------------------------------------------


def evaluate(arguments: Evaluate) -> int:
    """Print and write the scores of the model beside those of methods without a net, and say which is best."""
    run, predictor = _open(arguments.run, arguments.device)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json"], overwrite=arguments.overwrite)
    source, known = _same_source(run, predictor), predictor.columns
    if arguments.data is None:
        test = rows_of(source.test)
    else:
        test = _other_rows(arguments.data, known, cast(TabularConfig, run.config).loader)
        print(f"{arguments.data}: {len(test[known.answer])} rows")
    answer, truth = answered(predictor.net, test, known, predictor.scaling), test[known.answer]
    scores = class_scores(answer, truth) if known.classes else number_scores(answer, truth)
    model = {name: float(value) for name, value in scores.items()}
    others = baselines(rows_of(source.train), test, known, run.config.seed)
    _print(model, others)
    print(verdict(model, others, known))
    write_json(folder / "evaluation.json", model | others)
    print(folder)
    return 0


def _other_rows(data: str, columns: Columns, config: TableConfig) -> dict[str, Tensor]:
    """The rows of table:FILE with what is to be predicted. Raises `UserError` for rows without a usable answer."""
    kind, _, rest = data.partition(":")
    if kind != NAME or not rest:
        raise UserError(f"--data {data} is no table. Give {NAME}:FILE.csv or leave it out for the test part.")
    file = Path(rest).expanduser()
    lines, rows = read_rows(file, columns)
    cells = [row for _, row in read_cells(file, ())]
    target = target_of(file, [*cells[0]], config)
    answers = [row.get(target, "") for row in cells]
    fits = columns.classes.__contains__ if columns.classes else is_number
    if wrong := [f"line {line} has {text[:40]!r}" for line, text in zip(lines, answers, strict=True) if not fits(text)]:
        what = f"no class of the run ({some(list(columns.classes), 10)})" if columns.classes else "no number"
        raise UserError(f"{file} has a {target} that is {what}: {some(wrong, 10)}. Mend or remove these rows.")
    if columns.classes:
        answer = torch.tensor([columns.classes.index(text) for text in answers])
    else:
        answer = torch.tensor([float(text) for text in answers])
    return rows | {columns.answer: answer}


def _print(model: Mapping[str, float], others: Mapping[str, float]) -> None:
    print(f"{'':<22}" + "".join(f"{score.replace('_', ' '):>19}" for score in model))
    print(f"{'the model':<22}" + "".join(f"{value:>19.4f}" for value in model.values()))
    for name, text in NAMES.items():
        if f"{next(iter(model))}_{name}" in others:
            print(f"{text:<22}" + "".join(f"{others[f'{score}_{name}']:>19.4f}" for score in model))
