"""Configuration of properties of molecules. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.hybrid_multimodal.data.molecule_config import MoleculesConfig
from torchworks.shared.config import Amount, Config, Count, Limited, Share


@dataclass(frozen=True)
class MoleculeNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    layer: Literal["gine", "gin", "gcn", "gat", "gatv2"] = "gine"
    """How an atom reads its neighbors. gine: a sum over neighbors and bonds. gin: a sum over neighbors. gcn: a mean.
    gat, gatv2: a mean by attention. Only gine reads the kinds of bonds."""
    depth: Count = 4
    """Layers: how many bonds away an atom sees."""
    width: Count = 96
    """Channels of an atom, a multiple of 4."""
    drop_rate: Share = 0.2
    """Dropout."""


@dataclass(frozen=True)
class MoleculeConfig(Config):
    """Properties of molecules."""

    package: ClassVar[str] = "hybrid-multimodal"
    build: ClassVar[str] = "torchworks.hybrid_multimodal.molecules.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "solubility, freesolv or molecules:FILE.csv"

    data: str = "solubility"
    """Molecules and what was measured of them: solubility or freesolv, which come with the extra molecules, or
    molecules:FILE.csv with the column smiles and columns of numbers."""
    weight_decay: Amount = 1e-4
    """Decoupled weight decay, not applied to norms and biases."""
    auxiliary: Amount = 1.0
    """Weight of learning also eight numbers that rdkit computes of a molecule, such as its polar surface (0: not)."""
    valid_fraction: Share = 0.0
    """Share of the training molecules held out to select the best state (0: the last state is kept)."""
    net: MoleculeNetConfig = field(default_factory=MoleculeNetConfig)
    loader: MoleculesConfig = field(default_factory=MoleculesConfig)
