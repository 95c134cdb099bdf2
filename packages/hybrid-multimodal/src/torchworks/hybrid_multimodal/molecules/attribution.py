"""What each atom adds to a prediction: leave one atom out (occlusion; Zeiler and Fergus 2014, section 2.1, for images).

The share of atom i is the prediction for the molecule less that for what remains if the atom is cut out and its
neighbors get a hydrogen for each bond that they lose, so that the net still sees molecules. A positive share raises the
value. Shares are in the target's unit, and do not add up to the value: what two atoms do together, neither does alone,
and an atom in the middle takes a bond between two parts with it.

Shape letters: A atoms, K targets.
"""

import torch
from torch import Tensor, nn

from torchworks.shared.data.smiles import FEATURES, NEIGHBORS, SIZES

DEGREE, HYDROGENS, HYBRIDIZATION = 1, 3, 4
SP3 = 4
ORDERS = (1, 2, 3, 1, 1)
"""Hydrogens for a bond of each kind; of an aromatic one the other half goes with the ring."""


@torch.no_grad()
def atom_shares(predictor: nn.Module, table: Tensor) -> Tensor:
    """Of one molecule's table (A, WIDTH), the share of each atom in each target, (A, K). A single atom has all of what
    it adds to an empty table."""
    without = torch.stack([cut(table, atom) for atom in range(table.shape[0])])
    values = predictor(torch.cat([table[None], without]))
    return values[:1] - values[1:]


def cut(table: Tensor, atom: int) -> Tensor:
    """The table (A, WIDTH) without an atom: its row is padding, which no other is bonded to, and hydrogens stand in its
    place."""
    left = table.clone()
    neighbors, bonds = table[atom, FEATURES : FEATURES + NEIGHBORS], table[atom, FEATURES + NEIGHBORS :]
    for neighbor, code in zip(neighbors.tolist(), bonds.tolist(), strict=True):
        if neighbor:
            row, order = left[neighbor - 1], ORDERS[(code - 1) % 5]
            row[DEGREE] -= 1
            row[HYDROGENS] = (row[HYDROGENS] + order).clamp(max=SIZES[HYDROGENS] - 1)
            if order > 1:
                row[HYBRIDIZATION] = (row[HYBRIDIZATION] + order - 1).clamp(max=SP3)
    left[atom] = 0
    return left
