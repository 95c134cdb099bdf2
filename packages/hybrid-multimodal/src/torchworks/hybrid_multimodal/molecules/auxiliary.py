"""What the net learns beside its targets: numbers that rdkit computes of every molecule. A net that must also tell them
finds in few measured molecules what much larger sets would teach (Caruana 1997, "Multitask learning"). They are needed
in training alone.

Shape letters: N molecules, P descriptors.
"""

from collections.abc import Callable
from typing import Any

import torch

from torchworks.hybrid_multimodal.data.molecules import Molecules
from torchworks.shared.data import Field, Schema, TensorDataset
from torchworks.shared.data.smiles import quiet, rdkit_module, read_smiles

NAMES = (
    "MolLogP", "MolMR", "TPSA", "NumHDonors", "NumHAcceptors", "NumRotatableBonds", "NumAromaticRings", "LabuteASA",
)  # fmt: skip
"""Octanol-water partition and refractivity (Wildman and Crippen 1999), polar surface (Ertl et al. 2000), hydrogen bonds
given and taken, rotatable bonds, aromatic rings, and surface (Labute 2000), by rdkit's names."""


def with_descriptors(molecules: Molecules) -> TensorDataset:
    """The molecules with a field `auxiliary`, float32 (N, P), standardized; 0 for what all have alike."""
    functions: list[Callable[[Any], float]] = [getattr(rdkit_module("Chem.Descriptors"), name) for name in NAMES]
    with quiet():
        rows = [[float(of(read)) for of in functions] for read in map(read_smiles, molecules.smiles)]
    values = torch.tensor(rows, dtype=torch.float64)
    spread = values.std(0)
    values = torch.where(spread > 0, (values - values.mean(0)) / spread.clamp(min=1e-12), 0).float()
    schema = Schema((*molecules.schema.fields, Field("auxiliary", "series", (len(NAMES),))))
    return TensorDataset({**molecules.tensors, "auxiliary": values}, schema)
