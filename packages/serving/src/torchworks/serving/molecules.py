"""Molecules in requests: SMILES become the tables that a model takes, by rdkit, which no other model needs.

    known = Smiles(spec, 64)              # of an input of the kind molecule, of at most 64 atoms
    known.tables(["CCO", "c1ccccc1"], 64)     # int64 (2, 6, 23)

A SMILES that cannot be read is refused with rdkit's reason and the number of its row.
"""

from typing import Any

import numpy as np

from torchworks.serving.errors import Refusal, invalid
from torchworks.shared.config import UserError
from torchworks.shared.data.smiles import (
    MOST_ATOMS,
    WIDTH,
    UnreadableSmiles,
    has_rdkit,
    molecule_table,
    read_smiles,
    shown,
    smiles_of,
)
from torchworks.shared.models.signature import TensorSpec


class Smiles:
    """Of one input. Raises `UserError` where rdkit is not installed, or the tables of the model are others."""

    def __init__(self, spec: TensorSpec, most_atoms: int | None):
        if not has_rdkit():
            raise UserError(
                f"The model's input '{spec.name}' is a molecule, which is read by rdkit, and rdkit is not installed. "
                "Install it beside the service: pip install rdkit."
            )
        if len(spec.shape) != 3 or spec.shape[2] != WIDTH:
            raise UserError(
                f"The model's input '{spec.name}' has tables of molecules of another kind than this version of shared "
                f"makes, which have {WIDTH} columns. Export the model again by this version, or train it again."
            )
        self.spec, self.most_atoms = spec, most_atoms or MOST_ATOMS

    def reads(self, value: Any) -> bool:
        """Whether this can only be SMILES: it is no list of tables, which are lists of lists of numbers."""
        for _ in range(len(self.spec.shape)):
            if not (isinstance(value, list) and value):
                return True
            value = value[0]
        return False

    def tables(self, value: Any, most_rows: int) -> np.ndarray:
        """int64 (N, A, WIDTH), each molecule padded to the largest of the request. Raises `Refusal`."""
        rows = value if isinstance(value, list) else [value]
        if not rows:
            raise invalid(f"'{self.spec.name}' is an empty list: name a SMILES, such as CCO.")
        if len(rows) > most_rows:
            name = self.spec.name
            raise Refusal(413, "too_many_rows", f"'{name}' has more rows than the {most_rows} of a request.")
        tables = [self._table(number, row, len(rows)) for number, row in enumerate(rows, 1)]
        filled = np.zeros((len(tables), max(map(len, tables)), WIDTH), self.spec.dtype)
        for place, table in zip(filled, tables, strict=True):
            place[: len(table)] = table
        return filled

    def _table(self, number: int, row: Any, count: int) -> np.ndarray:
        where = f"Row {number} of '{self.spec.name}'" if count > 1 else f"'{self.spec.name}'"
        if isinstance(row, bytes):
            row = row.decode(errors="replace")
        if not isinstance(row, str):
            raise invalid(f"{where} must be a SMILES, such as CCO.")
        try:
            return molecule_table(read_smiles(row, self.most_atoms))
        except UnreadableSmiles as error:
            raise invalid(f"{where}, {shown(row)}, {error}.") from error

    def written(self, tables: np.ndarray) -> list[Any]:
        """SMILES of tables, for examples; the tables where one is of no molecule."""
        try:
            return [smiles_of(table) for table in tables]
        except ValueError:
            return tables.tolist()
