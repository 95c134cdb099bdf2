"""The commands of runs of `price`: `estimate`, and what `evaluate` does with them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.price_columns import IMAGE, TARGET, columns_of
from torchworks.hybrid_multimodal.data.priced import RESERVED, number_of, picture_of
from torchworks.hybrid_multimodal.inference.commands import Estimate, Evaluate
from torchworks.hybrid_multimodal.inference.dispatch import table_of
from torchworks.hybrid_multimodal.inference.scoring import scored
from torchworks.hybrid_multimodal.models.table_and_image import TableAndImage
from torchworks.hybrid_multimodal.price.baselines import baselines
from torchworks.hybrid_multimodal.price.build import new_task
from torchworks.hybrid_multimodal.price.config import PriceConfig
from torchworks.hybrid_multimodal.price.plots import Answer, draw_rows, number
from torchworks.hybrid_multimodal.price.predictor import PricePredictor
from torchworks.shared.config import UserError
from torchworks.shared.data import ResidentLoader, TensorDataset, held_out, open_source, resident
from torchworks.shared.data.listing import some
from torchworks.shared.data.mixed_columns import MISSING, MixedColumns, is_missing, plain_names, tensors_of
from torchworks.shared.data.text_tables import read_cells
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import picture, prepare, prepare_image_file, save_image

SHOWN = 8
"""Rows of a drawing."""
EXAMPLES = 4
"""Rows that `evaluate` writes as files."""
AT_ONCE = 256


@dataclass(frozen=True)
class Rows:
    """Rows to be answered, as the model reads them, by the names of its inputs."""

    tensors: Mapping[str, Tensor]
    truth: Sequence[float | None]

    def __len__(self) -> int:
        return len(self.tensors[IMAGE])

    def first(self, count: int) -> "Rows":
        return Rows({name: value[:count] for name, value in self.tensors.items()}, self.truth[:count])


def evaluate(arguments: Evaluate) -> int:
    """Score on the test part, without picture, table and each column too, beside what needs no net; draw some rows, and
    write some as files that `estimate` reads."""
    run = open_run(arguments.run, "hybrid-multimodal")
    config = cast(PriceConfig, run.config)
    folder = arguments.out or arguments.run / "evaluation"
    images = [f"row-{i}.png" for i in range(1, EXAMPLES + 1)]
    prepare(folder, ["evaluation.json", "rows.png", "rows.csv", *images], overwrite=arguments.overwrite)
    source = open_source(config.data, config.loader, config.seed)
    columns = columns_of(source.schema, source.name)
    rest, _ = held_out(resident(source.train), config.valid_fraction, config.seed)
    predictor = cast(PricePredictor, run.predictor)
    task = new_task(config, cast(TableAndImage, predictor.net), columns, predictor.scaling)
    found = scored(task, ResidentLoader(source.test, AT_ONCE, train=False, device=run.device))
    found |= baselines(rest, source.test, columns, predictor.scaling)
    write_json(folder / "evaluation.json", found)
    _print(found, columns)
    test = resident(source.test)
    draw(run, shown(test, columns), folder / "rows.png")
    _write_examples(test, columns, folder, images)
    print(folder)
    return 0


def _print(found: dict[str, float], columns: MixedColumns) -> None:
    print(f"{'':<20}{'MAE':>10}{'median relative':>18}{'interval holds':>17}")
    for name in ("", "picture", "table", *columns.names):
        end = f"_without_{name}" if name else ""
        values = [found[f"{key}{end}"] for key in ("mae", "median_relative_error", "coverage")]
        print(
            f"{f'without {name}' if name else 'whole rows':<20}{values[0]:>10.4g}{values[1]:>18.1%}{values[2]:>17.1%}"
        )
    print()
    for name in ("median", "picture_boosting", "table_boosting", "boosting"):
        print(f"{name.replace('_', ' '):<20}{found[f'mae_{name}']:>10.4g}"
              f"{found[f'median_relative_error_{name}']:>18.1%}")  # fmt: skip


def shown(test: TensorDataset, columns: MixedColumns) -> Rows:
    """The first test rows; the last three without picture, without the first column, and with neither."""
    rows = {name: value.clone() for name, value in test.subset(range(min(SHOWN, len(test)))).tensors.items()}
    if len(rows[TARGET]) == SHOWN:
        missing = MISSING if columns.names[0] in columns.numbers else 0
        rows[IMAGE][[-3, -1]] = 0
        rows[columns.names[0]][-2:] = missing
    return Rows({name: rows[name] for name in (IMAGE, *columns.names)}, rows[TARGET].tolist())


def draw(run: FinishedRun, rows: Rows, file: Path) -> None:
    """Write a drawing of rows with what the model answers."""
    predictor = cast(PricePredictor, run.predictor)
    answers = zip(*(value.tolist() for value in answered(run, rows)), strict=True)
    said = [said_of(rows, i, predictor.columns) for i in range(len(rows))]
    images = rows.tensors[IMAGE]
    drawn = [Answer(image, text, *values, truth) for image, text, values, truth in
             zip(images, said, answers, rows.truth, strict=True)]  # fmt: skip
    save_image(draw_rows(drawn), file)


def said_of(rows: Rows, i: int, columns: MixedColumns) -> tuple[str, ...]:
    """What a row says, a line for each column."""
    texts = []
    for name in columns.names:
        value = rows.tensors[name][i].item()
        if name in columns.categories:
            texts.append(f"{name} {columns.categories[name][int(value)]}")
        else:
            texts.append(f"{name} {'?' if value <= MISSING / 2 else f'{value:.4g}'}")
    return tuple(texts)


@torch.no_grad()
def answered(run: FinishedRun, rows: Rows) -> tuple[Tensor, ...]:
    """answer, low and high (N,), on the CPU; by half of a model that was trained on one alone."""
    config, predictor = cast(PriceConfig, run.config), cast(PricePredictor, run.predictor)
    tensors = dict(rows.tensors)
    if config.read == "table":
        tensors[IMAGE] = torch.zeros_like(tensors[IMAGE])
    if config.read == "picture":
        for name in predictor.columns.names:
            tensors[name] = torch.full_like(tensors[name], MISSING if name in predictor.columns.numbers else 0)
    parts = []
    for first in range(0, len(rows), AT_ONCE):
        given = (tensors[spec.name][first : first + AT_ONCE].to(run.device) for spec in predictor.signature.inputs)
        parts.append([value.cpu() for value in predictor(*given)])
    return tuple(torch.cat(values) for values in zip(*parts, strict=True))


def _write_examples(test: TensorDataset, columns: MixedColumns, folder: Path, images: Sequence[str]) -> None:
    """A table of some test rows and their pictures."""
    count = min(len(images), len(test))
    rows = Rows({name: test.tensors[name][:count] for name in (IMAGE, *columns.names)}, [None] * count)
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([IMAGE, *columns.names])
        for i, name in enumerate(images[:count]):
            save_image(picture(rows.tensors[IMAGE][i]), folder / name)
            cells = (text.partition(" ")[2] for text in said_of(rows, i, columns))
            writer.writerow([name, *("" if cell == "?" else cell for cell in cells)])


# -------------------------------------------------------------------------------------------------- estimate


def estimate(arguments: Estimate) -> int:
    """Print the answer for each row of a table, and its interval."""
    run = open_run(arguments.run, "hybrid-multimodal", arguments.device)
    predictor = cast(PricePredictor, run.predictor)
    rows, names, files = read_rows(table_of(arguments), predictor, cast(PriceConfig, run.config).loader.picture.lower())
    if arguments.out is not None:
        prepare_image_file(arguments.out, overwrite=arguments.overwrite, inputs=files)
    wide = max(map(len, names))
    for name, answer, low, high in zip(names, *(value.tolist() for value in answered(run, rows)), strict=True):
        print(f"{name:<{wide}}  {number(answer):>10}   {number(low)} to {number(high)}")
    if arguments.out is not None:
        draw(run, rows.first(SHOWN), arguments.out)
        print(arguments.out)
    return 0


def read_rows(file: Path, predictor: PricePredictor, column: str) -> tuple[Rows, list[str], list[Path]]:
    """The rows of a table, what messages call each, and all files that were read. Columns that the model knows and the
    table has not are missing, and so are categories that training had not; both are printed. Raises `UserError` naming
    what cannot be read."""
    columns, image = predictor.columns, predictor.signature.inputs[0]
    cells, names, files, images = [], [], [file], []
    for line, row in read_cells(file, ()):
        plain = plain_names([name for name in row if name and name != column], RESERVED)
        said = {inside: row[name] for name, inside in plain.items()}
        try:
            for name in columns.numbers:
                if not is_missing(said.get(name, "")):
                    number_of(said[name], name)
            path = row.get(column, "")
            images.append(picture_of(file.parent, path, int(image.shape[1]), int(image.shape[2])))
        except ValueError as error:
            raise UserError(f"{file}: line {line} {error}.") from error
        cells.append(said)
        names.append(path or f"line {line}")
        files += [file.parent / path] * bool(path)
    known = {name for row in cells for name in row}
    if lacking := [name for name in columns.names if name not in known]:
        print(f"{file} has no column {' and no column '.join(lacking)}, so the model does without.")
    _name_unknown(cells, columns)
    return Rows({IMAGE: torch.stack(images), **tensors_of(cells, columns)}, [None] * len(cells)), names, files


def _name_unknown(cells: Sequence[Mapping[str, str]], columns: MixedColumns) -> None:
    for name, values in columns.categories.items():
        unknown = sorted({said for row in cells if (said := row.get(name, "")) and said not in values})
        if unknown:
            print(f"Training had no {name} {some(unknown)}: it counts as not known.")
