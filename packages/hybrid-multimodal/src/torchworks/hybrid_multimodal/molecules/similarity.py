"""How like the training molecules another one is: the largest Tanimoto similarity of Morgan fingerprints, the part of
the surroundings of atoms that two molecules have in common of all that either has (Rogers and Hahn 2010)."""

from collections.abc import Sequence
from typing import Any

from torchworks.shared.data.smiles import quiet, rdkit_module, read_smiles

RADIUS, BITS = 2, 2048
UNLIKE = 0.3
"""Below this similarity to all training molecules, a molecule is called unlike them."""


class Nearest:
    """Looks for the most similar of some molecules, given as SMILES."""

    def __init__(self, smiles: Sequence[str]):
        with quiet():
            self._generator = rdkit_module("Chem.rdFingerprintGenerator").GetMorganGenerator(radius=RADIUS, fpSize=BITS)
        self.smiles = tuple(smiles)
        self._prints = [self._generator.GetFingerprint(read_smiles(each)) for each in smiles]

    def of(self, molecule: Any) -> tuple[str, float]:
        """The most similar molecule, and its similarity in [0, 1]; the first of equally similar ones."""
        compare = rdkit_module("DataStructs").BulkTanimotoSimilarity
        found = compare(self._generator.GetFingerprint(molecule), self._prints)
        best = max(range(len(found)), key=found.__getitem__)
        return self.smiles[best], found[best]
