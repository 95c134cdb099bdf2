"""The data source `molecules:FILE`: a user's own table of molecules and what was measured of them.

    smiles,solubility (log10 mol/l),split
    CCO,1.1,train
    c1ccccc1,-1.64,test

CSV (separated by , or ; or tabs) or .jsonl. Needed are `smiles` and a column of numbers; several columns are learned
together. A cell may be empty where nothing was measured. `split` says train or test, and may be missing; so may `name`,
which is not read.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torchworks.hybrid_multimodal.data.molecule_config import MoleculesConfig, of_molecules
from torchworks.hybrid_multimodal.data.molecules import Molecules, Table, as_source
from torchworks.hybrid_multimodal.data.scaffolds import scaffold_of
from torchworks.shared.config import LoaderConfig, UserError, nearest
from torchworks.shared.data import CheckedOpener, Report, Source
from torchworks.shared.data.decoding import text_bytes
from torchworks.shared.data.files import choose_parts, part_named
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.listing import some
from torchworks.shared.data.smiles import UnreadableSmiles, canonical, rdkit_module, read_smiles, shown
from torchworks.shared.data.text_tables import rows_of

LICENCE = "not stated (your own data)"
ADVICE = "Give the path of a table with the column smiles and a column of numbers: a .csv, .tsv or .jsonl file."
OTHERS = ("smiles", "split", "name")
"""Columns that are no targets."""
LARGEST = 1e30
"""Of measured numbers: what a model computes with ends not far above."""
Cells = list[tuple[int, dict[str, str]]]


@dataclass
class Read:
    """What was read: usable rows, what is wrong with others, the lines of the usable ones, and what was left out."""

    table: Table
    wrong: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def open_molecules(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point. Raises `UserError` that names the lines that are wrong, unless `skip_bad`."""
    config = of_molecules(config, "molecules")
    read = read_table(_path(rest), config)
    if read.wrong and not config.skip_bad:
        raise UserError(
            f"{rest} has {len(read.wrong)} rows that cannot be used: {some(read.wrong, 10)}. Put them right, or pass "
            "--skip-bad to leave them out."
        )
    return _source(rest, read, config, seed)


def check_molecules(spec: str, config: LoaderConfig, seed: int) -> Report:
    """What the table holds, which lines cannot be read, and which molecules deserve a look."""
    config, rest = of_molecules(config, "molecules"), spec.partition(":")[2]
    read = read_table(_path(rest), config)
    found = [Finding("warning" if config.skip_bad else "problem", f"Rows that cannot be used: {len(read.wrong)} "
                     f"({some(read.wrong, 10)}).")] if read.wrong else []  # fmt: skip
    try:
        source = _source(rest, read, config, seed)
    except UserError as error:
        return Report(spec, graded([*found, Finding("problem", str(error))]), None)
    found += [*described(source), *repeated(read), *odd(read), Finding("fact", f"Licence: {LICENCE}.")]
    return Report(spec, graded(found), source)


def _source(rest: str, read: Read, config: MoleculesConfig, seed: int) -> Source:
    notes = [f"Rows left out, because they cannot be used: {len(read.wrong)}."] * bool(read.wrong) + read.notes
    if not read.table.molecules:
        raise UserError(f"{rest} has no row with a molecule and a number.")
    return as_source(Path(rest).stem, LICENCE, read.table, config, seed, notes)


def _path(rest: str) -> Path:
    if not rest:
        raise UserError("The data source 'molecules' needs the path of a table after it, as in molecules:FILE.csv.")
    return Path(rest).expanduser()


# -------------------------------------------------------------------------------------------------------- read


def read_table(file: Path, config: MoleculesConfig) -> Read:
    """Raises `UserError` for a file that is no such table, and where rdkit is not installed."""
    rdkit_module("Chem")
    text = text_bytes(file, ADVICE)
    content = list(rows_of(file, text, ("smiles",)))
    broken = [f"line {line} {row}" for line, row in content if isinstance(row, str)]
    cells: Cells = [(line, row) for line, row in content if isinstance(row, dict)]
    names, ignored = _targets(file, cells, config.targets)
    cells, notes = _with_parts(file, cells)
    if ignored:
        notes.append(f"Columns that are no numbers and are not read: {some(ignored)}.")
    header = text.partition(b"\n")[0].decode(errors="replace")
    read = Read(Table(tuple(_as_written(name, header) for name in names)), broken, notes=notes)
    for line, row in cells:
        try:
            values = _numbers(row, names)
            molecule = read_smiles(row["smiles"])
        except UnreadableSmiles as error:
            read.wrong.append(f"line {line}: {shown(row['smiles'])} {error}")
        except ValueError as error:
            read.wrong.append(f"line {line} {error}")
        else:
            read.lines.append(line)
            read.table.molecules.append(molecule)
            read.table.values.append(values)
            read.table.parts.append(part_named(row.get("split", "")))
    return read


def _targets(file: Path, cells: Cells, chosen: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The columns to learn, and those that are passed over. Raises `UserError` if there is none."""
    columns = list(dict.fromkeys(name for _, row in cells for name in row if name and name not in OTHERS))
    for name in chosen:
        if name.lower() not in columns:
            raise UserError(
                f"{file} has no column '{name}'.{nearest(name, columns)} Columns of numbers: {some(columns)}."
            )
    if chosen:
        return tuple(name.lower() for name in chosen), []
    found = [name for name in columns if _mostly_numbers([row.get(name, "") for _, row in cells])]
    if not found:
        raise UserError(
            f"{file} has no column of numbers to learn beside smiles; its columns are {some(columns) or 'none'}. Add "
            "one with what was measured of each molecule."
        )
    return tuple(found), [name for name in columns if name not in found]


def _as_written(name: str, header: str) -> str:
    """A column's name as the first line has it: rows name columns in small letters."""
    place = header.lower().find(name)
    return header[place : place + len(name)] if place >= 0 else name


def _mostly_numbers(cells: Sequence[str]) -> bool:
    """Whether more than half of the cells that are not empty are numbers: the others are then mistakes."""
    filled = [cell for cell in cells if cell]
    return 2 * sum(map(_is_number, filled)) > len(filled)


def _is_number(cell: str) -> bool:
    try:
        return abs(float(cell)) <= LARGEST
    except ValueError:
        return False


def _numbers(row: dict[str, str], names: Sequence[str]) -> list[float]:
    """The targets of a row, NaN where a cell is empty. Raises `ValueError` with a part of a sentence."""
    for name in names:
        if (cell := row.get(name, "")) and not _is_number(cell):
            raise ValueError(f"has '{cell[:40]}' in the column {name}, which is no number that can be used")
    values = [float(row.get(name, "") or "nan") for name in names]
    if all(map(math.isnan, values)):
        raise ValueError(f"has no {' and no '.join(names)}")
    return values


def _with_parts(file: Path, cells: Cells) -> tuple[Cells, list[str]]:
    """The rows of the parts that are used, and a note on others. Raises `UserError` for a word that is no part."""
    named = [row["split"] for _, row in cells if row.get("split")]
    if not named:
        return cells, []
    strange = [
        f"'{row.get('split', '')}' in line {line}" for line, row in cells if not part_named(row.get("split", ""))
    ]
    if strange:
        raise UserError(f"The column split of {file} must say train or test; it says {some(strange)}.")
    _, others = choose_parts(list(dict.fromkeys(named)))
    used = [(line, row) for line, row in cells if row["split"] not in others]
    left = len(cells) - len(used)
    return used, [f"Rows of a further part of the split, left out: {left}."] * bool(left)


# ------------------------------------------------------------------------------------------------------- check


def described(source: Source) -> Iterator[Finding]:
    """What `check` says of the molecules of a source."""
    train, test = source.train, source.test
    assert isinstance(train, Molecules)
    assert isinstance(test, Molecules)
    yield Finding("fact", f"{len(train):,} molecules for training and {len(test):,} for testing.")
    for k, name in enumerate(train.targets):
        values = train.tensors["target"][:, k]
        values = values[values.isfinite()]
        numbers = f"{len(values):,} numbers" + (f", mean {values.mean():.3g}, standard deviation {values.std():.3g}, "
                   f"from {values.min():.3g} to {values.max():.3g}" if len(values) > 1 else "")  # fmt: skip
        yield Finding("fact", f"Training, {name}: {numbers}.")
    scaffolds = [{scaffold_of(read_smiles(each)) for each in part.smiles} for part in (train, test)]
    shared = len(scaffolds[1] & scaffolds[0])
    yield Finding("fact", f"Scaffolds (Bemis-Murcko): {len(scaffolds[0] | scaffolds[1]):,}, of which testing has "
                  f"{len(scaffolds[1])}, {shared} of them as training has.")  # fmt: skip
    yield from (Finding("fact", note) for note in source.notes)


def repeated(read: Read) -> Iterator[Finding]:
    """Molecules that are in several rows, and how far their numbers are apart."""
    rows: dict[str, list[int]] = defaultdict(list)
    for place, molecule in enumerate(read.table.molecules):
        rows[canonical(molecule)].append(place)
    several = {smiles: places for smiles, places in rows.items() if len(places) > 1}
    if several:
        named = [f"{shown(s)} in lines {', '.join(str(read.lines[i]) for i in p)}" for s, p in several.items()]
        text = f"Molecules that are there more than once: {len(several)} ({some(named)}). They stay on one side."
        yield Finding("warning", text)


def odd(read: Read) -> Iterator[Finding]:
    """Molecules of several parts that no bond joins, such as salts."""
    chem = rdkit_module("Chem")
    pairs = zip(read.lines, read.table.molecules, strict=True)
    named = [f"line {line}: {shown(canonical(m))}" for line, m in pairs if len(chem.GetMolFrags(m)) > 1]
    if named:
        yield Finding("warning", f"Molecules of several fragments, such as salts: {len(named)} ({some(named)}). All "
                      "fragments are read as one molecule; keep the one that was measured.")  # fmt: skip


MOLECULES = CheckedOpener(open_molecules, check_molecules)
