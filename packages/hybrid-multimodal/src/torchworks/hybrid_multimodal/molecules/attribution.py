"""What each atom adds to a prediction: leave one atom out (occlusion; Zeiler and Fergus 2014, section 2.1, for images).

The share of atom i is the prediction for the molecule less that for the same table without row i and without its bonds,
as if the atom were not there; the features of its neighbors stay as they are. A positive share raises the value. Shares
are in the target's unit, and do not add up to the value: what two atoms do together, neither does alone.

Shape letters: A atoms, K targets.
"""

import torch
from torch import Tensor, nn


@torch.no_grad()
def atom_shares(predictor: nn.Module, table: Tensor) -> Tensor:
    """Of one molecule's table (A, WIDTH), the share of each atom in each target, (A, K). A single atom has all of what
    it adds to an empty table."""
    atoms = table.shape[0]
    without = table.expand(atoms, -1, -1).clone()
    without[torch.arange(atoms), torch.arange(atoms)] = 0
    values = predictor(torch.cat([table[None], without]))
    return values[:1] - values[1:]
