"""SMILES become tables of atoms and bonds, and what is no molecule is refused with rdkit's reason."""

import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="molecules are read by rdkit")

from torchworks.shared.data.smiles import (
    FEATURES,
    MOST_CHARACTERS,
    NEIGHBORS,
    SIZES,
    WIDTH,
    UnreadableSmiles,
    canonical,
    molecule_table,
    read_smiles,
    smiles_of,
)

MOLECULES = ("CCO", "c1ccccc1", "C", "[Na+].[Cl-]", "CC(=O)Oc1ccccc1C(=O)O", "C#N", "O=S(=O)(O)O", "c1cc[nH]c1",
             "[H][H]", "FS(F)(F)(F)(F)F", "C1CC1=O", "[O-][N+](=O)c1ccc(Br)cc1", "C[Si](C)(C)C", "[2H]OC")  # fmt: skip


def test_an_atom_is_a_row_of_its_features_neighbors_and_bonds():
    table = molecule_table(read_smiles("OC=C"))
    assert table.shape == (3, WIDTH)
    assert table[:, :FEATURES].tolist() == [[8, 1, 2, 1, 3, 0, 0], [6, 2, 2, 1, 3, 0, 0], [6, 1, 2, 2, 3, 0, 0]]
    assert table[1, FEATURES : FEATURES + NEIGHBORS].tolist() == [1, 3, 0, 0, 0, 0, 0, 0]
    assert table[1, FEATURES + NEIGHBORS :].tolist() == [6, 7, 0, 0, 0, 0, 0, 0]  # single and double, both conjugated


@pytest.mark.parametrize("smiles", MOLECULES)
def test_a_bond_stands_in_both_its_atoms_and_codes_are_in_range(smiles):
    table = molecule_table(read_smiles(smiles))
    neighbors, bonds = table[:, FEATURES : FEATURES + NEIGHBORS], table[:, FEATURES + NEIGHBORS :]
    pairs = {(i, j - 1, code) for i, j, code in zip(*_entries(neighbors, bonds), strict=True)}
    assert pairs == {(j, i, code) for i, j, code in pairs}
    assert (table[:, :FEATURES] < SIZES).all()
    assert (table >= 0).all()


def _entries(neighbors: np.ndarray, bonds: np.ndarray):
    rows, slots = np.nonzero(neighbors)
    return rows.tolist(), neighbors[rows, slots].tolist(), bonds[rows, slots].tolist()


@pytest.mark.parametrize("smiles", [each for each in MOLECULES if each != "[2H]OC"])
def test_a_table_is_written_as_the_molecule_that_it_is_of(smiles):
    table = molecule_table(read_smiles(smiles))
    again = read_smiles(smiles_of(np.concatenate([table, np.zeros((2, WIDTH), np.int64)])))
    assert canonical(again) == canonical(read_smiles(smiles))


def test_numbers_that_are_no_molecule_are_not_written():
    with pytest.raises(ValueError, match="no molecule"):
        smiles_of(np.full((1, WIDTH), 6))


@pytest.mark.parametrize(
    ("smiles", "said"),
    [
        ("C1CC", "cannot be read: unclosed ring"),
        ("C(C", "extra open parentheses, around position 2"),
        ("CN(C)(C)(C)C", "Explicit valence for atom # 1 N, 5, is greater than permitted"),
        ("c1cccc1", "Can't kekulize mol"),
        ("[Xx]", "syntax error"),
        ("", "is empty"),
        ("C C", "has a space"),
        ("C\x00C", "control character"),
        ("C*", "placeholder"),
        ("C" * 70, "has 70 atoms"),
        ("C" * (MOST_CHARACTERS + 1), "301 characters"),
        ("日本", "syntax error"),
        ("((((" * 70, "syntax error"),
    ],
)
def test_what_is_no_molecule_is_refused_with_the_reason(smiles, said, capfd):
    with pytest.raises(UnreadableSmiles, match=said.replace("(", r"\(")):
        read_smiles(smiles)
    assert capfd.readouterr() == ("", "")  # rdkit writes to the terminal by itself


def test_threads_hear_the_reason_of_their_own_molecule():
    said: dict[str, str] = {}

    def read(smiles: str) -> None:
        for _ in range(30):
            try:
                read_smiles(smiles)
            except UnreadableSmiles as error:
                said[smiles] = str(error)

    threads = [threading.Thread(target=read, args=[smiles]) for smiles in ("C1CC", "C(C", "[CH5]")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "unclosed ring" in said["C1CC"]
    assert "parentheses" in said["C(C"]
    assert "valence" in said["[CH5]"]


def test_rdkit_is_imported_only_for_molecules_and_its_lack_is_named():
    code = (
        "import sys; sys.modules['rdkit'] = None\n"
        "import importlib.util as util; util.find_spec = lambda name, *rest: None\n"
        "from torchworks.shared.data.smiles import read_smiles\n"
        "try: read_smiles('C')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("UserError Molecules are read by rdkit, which is not installed.")
