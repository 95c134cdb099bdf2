"""Molecules as tables of whole numbers, read from SMILES by rdkit, which is imported when the first one is read.

    table = molecule_table(read_smiles("CCO"))          # int64 (A, WIDTH), a row for each atom

SMILES write a molecule as a line: Weininger 1988, "SMILES, a chemical language and information system". Hydrogens are
no rows of their own; their number is a feature of the atom that has them.

| columns | |
|---|---|
| 0 | atomic number; 0 in a row that is padding |
| 1 | number of neighbors |
| 2 | formal charge plus 2, cut to 0..4 |
| 3 | number of hydrogens, cut to 0..4 |
| 4 | hybridization: 1 s, 2 sp, 3 sp2, 4 sp3, 5 sp3d, 6 sp3d2; 0 none of these |
| 5 | 1 if aromatic |
| 6 | 1 if in a ring |
| 7..14 | rows of the neighbors, counted from 1; 0 where there is none |
| 15..22 | bonds to them: 1 single, 2 double, 3 triple, 4 aromatic, 5 another; plus 5 if conjugated; plus 10 in a ring |

Left and right hands of a molecule have the same table. Shape letters: A atoms, D = 8 neighbors at most.
"""

import importlib
import importlib.util
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from torchworks.shared.config import UserError

FEATURES = 7
NEIGHBORS = 8
WIDTH = FEATURES + 2 * NEIGHBORS
SIZES = (119, 9, 5, 5, 7, 2, 2)
"""How many values each feature can have."""
BONDS = 21
"""How many codes of bonds there are, with 0."""
MOST_ATOMS = 64
"""Atoms of a molecule without its hydrogens."""
MOST_CHARACTERS = 300
"""Of a SMILES."""
LONGEST_SHOWN = 60
"""Characters of a SMILES that messages show."""
_HYBRIDIZATIONS = ("S", "SP", "SP2", "SP3", "SP3D", "SP3D2")
_BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")


class UnreadableSmiles(ValueError):
    """Why a text is no molecule that can be used; a part of a sentence, such as `has an unclosed ring`."""


def read_smiles(text: str, most_atoms: int = MOST_ATOMS) -> Any:
    """The molecule, of rdkit's class `Mol`. Raises `UnreadableSmiles` with rdkit's reason for what is no SMILES, and
    for molecules that have no table, and `UserError` where rdkit is not installed."""
    chem = rdkit_module("Chem")
    text = text.strip()
    if not text:
        raise UnreadableSmiles("is empty")
    if len(text) > MOST_CHARACTERS:
        raise UnreadableSmiles(f"has {len(text)} characters, but {MOST_CHARACTERS} are the most")
    if any(sign.isspace() for sign in text) or not text.isprintable():
        raise UnreadableSmiles("has a space or a control character in it")
    with quiet() as said:
        molecule = chem.MolFromSmiles(text)
    if molecule is None:
        raise UnreadableSmiles(_reason(said))
    check_molecule(molecule, most_atoms)
    return molecule


def check_molecule(molecule: Any, most_atoms: int = MOST_ATOMS) -> None:
    """Raise `UnreadableSmiles` for a molecule that has no table, or has more than `most_atoms` atoms."""
    if not (count := molecule.GetNumAtoms()):
        raise UnreadableSmiles("has no atom")
    if count > most_atoms:
        raise UnreadableSmiles(f"has {count} atoms without its hydrogens, but {most_atoms} are the most")
    for atom in molecule.GetAtoms():
        if not atom.GetAtomicNum():
            raise UnreadableSmiles("has a placeholder (*), which is no element")
        if atom.GetDegree() > NEIGHBORS:
            raise UnreadableSmiles(f"has an atom with {atom.GetDegree()} neighbors, but {NEIGHBORS} are the most")


def molecule_table(molecule: Any) -> np.ndarray:
    """int64 (A, WIDTH), of a molecule that `check_molecule` lets pass."""
    table = np.zeros((molecule.GetNumAtoms(), WIDTH), np.int64)
    for i, atom in enumerate(molecule.GetAtoms()):
        bonds = atom.GetBonds()
        table[i, :FEATURES] = (
            atom.GetAtomicNum(), len(bonds), min(max(atom.GetFormalCharge() + 2, 0), 4), min(atom.GetTotalNumHs(), 4),
            _place(_HYBRIDIZATIONS, atom.GetHybridization().name), atom.GetIsAromatic(), atom.IsInRing(),
        )  # fmt: skip
        for slot, bond in enumerate(bonds):
            table[i, FEATURES + slot] = bond.GetOtherAtomIdx(i) + 1
            table[i, FEATURES + NEIGHBORS + slot] = _bond_code(bond)
    return table


def _bond_code(bond: Any) -> int:
    kind = _place(_BONDS, bond.GetBondType().name) or len(_BONDS) + 1
    return kind + 5 * bond.GetIsConjugated() + 10 * bond.IsInRing()


def _place(names: tuple[str, ...], name: str) -> int:
    return names.index(name) + 1 if name in names else 0


def canonical(molecule: Any) -> str:
    """The one SMILES by which rdkit writes this molecule."""
    return rdkit_module("Chem").MolToSmiles(molecule)


def smiles_of(table: np.ndarray) -> str:
    """A SMILES whose table this is, for examples of requests: without hands and isotopes, which a table does not have.
    Raises `ValueError` for a table that rdkit takes for no molecule."""
    chem = rdkit_module("Chem")
    kinds = [getattr(chem.BondType, name) for name in _BONDS]
    molecule = chem.RWMol()
    atoms = table[table[:, 0] > 0].tolist()
    for number, _, charge, hydrogens, _, aromatic, *_ in atoms:
        atom = chem.Atom(number)
        atom.SetFormalCharge(charge - 2)
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(hydrogens)
        atom.SetIsAromatic(bool(aromatic))
        molecule.AddAtom(atom)
    for i, row in enumerate(atoms):
        for neighbor, code in zip(row[FEATURES : FEATURES + NEIGHBORS], row[FEATURES + NEIGHBORS :], strict=True):
            if 0 < neighbor <= i:  # each bond once
                place = (code - 1) % 5
                molecule.AddBond(i, neighbor - 1, kinds[place] if place < len(kinds) else chem.BondType.SINGLE)
    with quiet() as said:
        if chem.SanitizeMol(molecule, catchErrors=True):
            raise ValueError(f"is no molecule: {said[0] if said else 'rdkit refuses it'}")
        return chem.MolToSmiles(chem.RemoveHs(molecule))


def shown(smiles: str) -> str:
    """A SMILES as messages show it."""
    printable = "".join(sign if sign.isprintable() else "�" for sign in smiles[:LONGEST_SHOWN])
    return f"'{printable}…'" if len(smiles) > LONGEST_SHOWN else f"'{printable}'"


# ------------------------------------------------------------------------------------------------------- rdkit


def has_rdkit() -> bool:
    return importlib.util.find_spec("rdkit") is not None


@cache
def rdkit_module(name: str) -> Any:
    """A module of rdkit, such as `Chem.Draw`. Raises `UserError` where rdkit is not installed."""
    if not has_rdkit():
        raise UserError(
            "Molecules are read by rdkit, which is not installed. Install it (pip install rdkit), or with it the extra "
            "hybrid-multimodal[molecules]."
        )
    return importlib.import_module(f"rdkit.{name}")


class _Listener(logging.Handler):
    """Keeps what rdkit says in a thread that reads a molecule."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.local()

    @property
    def lines(self) -> list[str] | None:
        return getattr(self.here, "lines", None)

    def emit(self, record: logging.LogRecord) -> None:
        if self.lines is not None:
            self.lines.append(record.getMessage())


@cache
def _listener() -> _Listener:
    """Takes rdkit's lines, which it otherwise writes to the terminal itself, by way of Python's logging. Those of other
    threads, and of whoever else uses rdkit, go where they went."""
    rdkit_module("rdBase").LogToPythonLogger()
    listener, logger = _Listener(), logging.getLogger("rdkit")
    for handler in logger.handlers:
        handler.addFilter(lambda record: listener.lines is None)
    logger.addHandler(listener)
    logger.propagate = False
    return listener


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Within it rdkit writes nothing to the terminal; its lines are added to the list."""
    here = _listener().here
    before, here.lines = getattr(here, "lines", None), []
    try:
        yield here.lines
    finally:
        here.lines = before


def _reason(lines: list[str]) -> str:
    """Why rdkit could not read a SMILES, in its own words, without the SMILES and the time that it puts around them."""
    texts = [line.partition("] ")[2] or line for line in lines]
    first = next((text for text in texts if text), "no SMILES")
    first = first.removeprefix("SMILES Parse Error: ").partition(" for input:")[0].partition(" while parsing:")[0]
    place = next((text for text in texts if "around position" in text), "").rpartition("position ")[2].rstrip(":")
    return f"cannot be read: {first.strip().rstrip('.')}" + (f", around position {place}" if place else "")
