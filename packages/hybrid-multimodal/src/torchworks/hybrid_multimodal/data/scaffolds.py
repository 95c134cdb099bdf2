"""Which molecules are tested on: drawn at random, or those whose scaffolds training does not have.

The scaffold is that of Bemis and Murcko 1996, "The properties of known drugs. 1. Molecular frameworks", as rdkit's
`MurckoScaffoldSmiles(includeChirality=False)` writes it: the rings and the chains between them, with atoms that hang on
these by a double bond, and without chirality. Molecules without a ring have the empty scaffold in common.

`scaffold_split` takes the groups of equal scaffolds, the largest first and of equally large ones the one that appears
first, and gives each to training if it fits into what training is to have, else to testing. So the order of the rows
decides between equal groups, and nothing is drawn. Other splits bear the same name, with chirality, with groups in a
random order, or with generic scaffolds; their scores are of other test molecules.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from torchworks.shared.data.smiles import quiet, rdkit_module

PROTOCOLS = {
    "given": "the split that the data bring",
    "random": "a random split by the seed, copies of a molecule on one side",
    "scaffold": "a split by Bemis-Murcko scaffolds without chirality, groups from the largest on to training while "
    "they fit, the rest to testing",
}
"""The words for how test molecules were chosen."""


def scaffold_of(molecule: Any) -> str:
    """SMILES of the scaffold; '' of a molecule without a ring."""
    with quiet():
        return rdkit_module("Chem.Scaffolds.MurckoScaffold").MurckoScaffoldSmiles(mol=molecule, includeChirality=False)


def scaffold_split(scaffolds: Sequence[str], fraction: float) -> tuple[list[int], list[int]]:
    """Rows for training and for testing, each in ascending order; about `fraction` of them are for testing, and more
    where large groups do not fit into training."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, scaffold in enumerate(scaffolds):
        groups[scaffold].append(i)
    room = len(scaffolds) - round(fraction * len(scaffolds))
    train: list[int] = []
    for rows in sorted(groups.values(), key=lambda rows: (-len(rows), rows[0])):
        if len(train) + len(rows) <= room:
            train += rows
    kept = {*train}
    return sorted(train), [i for i in range(len(scaffolds)) if i not in kept]
