"""The data source `priced:FILE.csv`: a user's own table of rows with a picture each and a number to be told.

    image,price,rate,unit,split            CSV (separated by , or ; or tabs) or .jsonl
    bills/1.png,17.40,2.90,pair,train      paths from the file's own folder or absolute
    ,8.00,,piece,test                      a picture and any other cell may be missing

`--loader.target` names the column to be told (price), `--loader.picture` that of the pictures (image). `split` (train
or test) may be missing. Every other column is read if it says something: one whose cells are numbers but for a tenth at
most as numbers, any other as categories. Left out are columns that are the same everywhere, and those with more than 50
categories, or one for more than every second row, as names and ids have.

priced:FOLDER is the one table that the folder holds. See `price_columns.py` for the fields.

Shape letters: N rows, C channels, S pixels along a picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.price_columns import IMAGE, TARGET, TRUTH
from torchworks.hybrid_multimodal.data.priced_config import PricedConfig
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Field, Report, Schema, Source, TensorDataset
from torchworks.shared.data.files import part_named
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import read
from torchworks.shared.data.listing import some
from torchworks.shared.data.mixed_columns import (
    LARGEST,
    MixedColumns,
    described,
    is_missing,
    of_training,
    plain_names,
    tensors_of,
    told_columns,
)
from torchworks.shared.data.report import of_source
from torchworks.shared.data.split import digests, fingerprint, split
from torchworks.shared.data.text_tables import read_cells

NAME = "priced"
LICENCE = "not stated (your own data)"
TABLES = (".csv", ".tsv", ".jsonl")
FEWEST = 10
"""Rows of a part below which a score means nothing."""
RESERVED = (IMAGE, *TRUTH, "label", "index", "answer", "low", "high")

Cells = Mapping[str, str]


@dataclass
class Table:
    """What was read of a file: the lines that can be used, and what is wrong with others."""

    lines: list[int] = field(default_factory=list)
    cells: list[Cells] = field(default_factory=list)
    images: list[Tensor] = field(default_factory=list)
    targets: list[float] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    config = of_priced(config)
    file = _path(rest)
    table, columns, notes = _read(file, config)
    if table.wrong and not config.skip_bad:
        raise UserError(
            f"{rest} has {len(table.wrong)} rows that cannot be used: {some(table.wrong, 10)}. Put them right, or pass "
            "--skip-bad to leave them out."
        )
    return _source(file, table, columns, notes, config, seed)


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    config, rest = of_priced(config), spec.partition(":")[2]
    file = _path(rest)
    table, columns, notes = _read(file, config)
    found = [
        Finding("warning" if config.skip_bad else "problem", f"Rows that cannot be used: {len(table.wrong)} "
                f"({some(table.wrong, 10)}).")
    ] * bool(table.wrong)  # fmt: skip
    try:
        source = _source(file, table, columns, notes, config, seed)
    except UserError as error:
        return Report(spec, graded([*found, Finding("problem", str(error))]), None)
    without = sum(not bool(image.any()) for image in table.images)
    found += [Finding("fact", note) for note in source.notes]
    found += [Finding("fact", f"Rows without a picture: {without}.")] * bool(without)
    found += [Finding("fact", text) for text in described(columns, table.cells)]
    return Report(spec, graded([*found, *of_source(source)]), source)


PRICED = CheckedOpener(_open, _check)
"""For an entry point in the group `torchworks.sources`."""


def of_priced(config: LoaderConfig) -> PricedConfig:
    """`config`, for this source. Raises `UserError` if the recipe reads something else."""
    if isinstance(config, PricedConfig):
        return config
    raise UserError(
        f"'{NAME}' has rows with a picture and a number, but this recipe learns from other data. Use the recipe price."
    )


def _path(rest: str) -> Path:
    if not rest:
        raise UserError(f"The data source '{NAME}' needs the path of a table after it, as in {NAME}:FILE.csv.")
    path = Path(rest).expanduser()
    if not path.is_dir():
        return path
    tables = sorted(file for file in path.iterdir() if file.suffix.lower() in TABLES)
    if len(tables) != 1:
        found = some([file.name for file in tables]) or "none"
        raise UserError(f"{path} should hold one table ({', '.join(TABLES)}), but it holds {found}. Name the file.")
    return tables[0]


# -------------------------------------------------------------------------------------------------------- read


def _read(file: Path, config: PricedConfig) -> tuple[Table, MixedColumns, list[str]]:
    """The rows, the columns that say something, and notes on those that do not."""
    picture, target = config.picture.lower(), config.target.lower()
    table = Table()
    rows = read_cells(file, (picture, target))
    seen = [row for _, row in rows]
    kinds, notes = told_columns(
        {name: [row.get(name, "") for row in seen] for name in seen[0]}, (picture, target, "split")
    )
    if not kinds.names:
        raise UserError(f"{file} has no column beside {picture} and {target} that says anything, so there is nothing "
                        "to join with the pictures.")  # fmt: skip
    for line, row in rows:
        try:
            image = picture_of(file.parent, row.get(picture, ""), config.channels or 1, config.image_size)
            value = number_of(row.get(target, ""), target)
            for name in kinds.numbers:
                number_of("0" if is_missing(row.get(name, "")) else row[name], name)
            if row.get("split") and not part_named(row["split"]):
                raise ValueError(f"says '{row['split']}' for split, which is neither train nor test")
        except ValueError as error:
            table.wrong.append(f"line {line} {error}")
            continue
        table.lines.append(line)
        table.cells.append(row)
        table.images.append(image)
        table.targets.append(value)
        table.parts.append(part_named(row.get("split", "")) or "")
    return table, kinds, notes


def picture_of(folder: Path, cell: str, channels: int, size: int) -> Tensor:
    """uint8 (C, S, S), black for an empty cell. Raises `ValueError` that says what is wrong with the file."""
    if not cell:
        return torch.zeros(channels, size, size, dtype=torch.uint8)
    try:
        return read(folder / cell, channels, size)
    except Unreadable as error:
        raise ValueError(f"names the picture {cell}, which cannot be read: {error}") from error


def number_of(cell: str, column: str) -> float:
    """Raises `ValueError` with a part of a sentence for a cell that is no number that can be computed with."""
    try:
        value = float(cell)
    except ValueError:
        said = f"has the {column} '{cell}', which is no number" if cell else f"has no {column}"
        raise ValueError(said) from None
    if not abs(value) <= LARGEST:  # NaN is not either
        raise ValueError(f"has the {column} '{cell[:40]}', which is no number from -{LARGEST:g} to {LARGEST:g}")
    return value


def _source(
    file: Path, table: Table, columns: MixedColumns, notes: Sequence[str], config: PricedConfig, seed: int
) -> Source:
    marks = digests(torch.stack(table.images)) if table.images else []
    marks = [mark if image.any() else f"line {i}" for mark, image, i in zip(marks, table.images, table.lines,
             strict=True)]  # fmt: skip
    if any(table.parts):
        train, test = ([i for i, part in enumerate(table.parts) if part == name] for name in ("train", "test"))
    else:
        train, test = split(marks, [0] * len(marks), config.test_fraction, seed)
    if min(len(train), len(test)) < FEWEST:
        raise UserError(
            f"{file} gives {len(train)} rows for training and {len(test)} for testing, but {FEWEST} of each are the "
            "fewest by which a score means anything. Add rows, or another column split."
        )
    known = of_training(columns, [table.cells[i] for i in train])
    left = [f"Rows left out, because they cannot be used: {len(table.wrong)}."] * bool(table.wrong)
    names = plain_names(known.names, RESERVED)
    kept = MixedColumns(tuple(names[name] for name in known.numbers),
                   {names[name]: values for name, values in known.categories.items()})  # fmt: skip
    schema = priced_schema(kept, config.image_size, config.channels or 1)
    tensors = {IMAGE: torch.stack(table.images), TARGET: torch.tensor(table.targets, dtype=torch.float32)}
    tensors |= {names[name]: value for name, value in tensors_of(table.cells, known).items()}
    whole = TensorDataset({item.name: tensors[item.name] for item in schema.fields}, schema)
    mark = fingerprint(marks, table.targets, [sorted(row.items()) for row in table.cells], train)
    return Source(file.stem, LICENCE, whole.subset(train), whole.subset(test), schema, mark, (*notes, *left))


def priced_schema(columns: MixedColumns, image_size: int, channels: int) -> Schema:
    return Schema(
        (
            Field(IMAGE, "image", (channels, image_size, image_size)),
            *(Field(name, "series", ()) for name in columns.numbers),
            *(Field(name, "label", (), values) for name, values in columns.categories.items()),
            Field(TARGET, "series", ()),
        )
    )
