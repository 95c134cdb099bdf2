"""A bundle that takes molecules and counts: a tiny ONNX model."""

from pathlib import Path

import numpy as np
from onnx import TensorProto as Type
from tiny_bundles import Tiny, node, write_tiny

from torchworks.shared.data.smiles import MOST_ATOMS, WIDTH, molecule_table, read_smiles
from torchworks.shared.models.signature import Signature, TensorSpec

COUNTED = ("atoms (number)", "oxygen (number)")


def counter(smiles: str = "CCO", most_atoms: int = MOST_ATOMS) -> Tiny:
    """molecule (N, A, WIDTH) → how many atoms it has, and how many of oxygen; the example is `smiles`, padded."""
    molecule = TensorSpec("molecule", "molecule", "int64", ("N", "A", WIDTH), low=0, pad=0)
    value = TensorSpec("value", "features", "float32", ("N", 2), labels=COUNTED)
    nodes = [
        node("Gather", ["molecule", "first"], ["element"], axis=2),  # (N, A, 1)
        node("Greater", ["element", "nothing"], ["there"]),
        node("Equal", ["element", "oxygen"], ["acid"]),
        node("Concat", ["there", "acid"], ["both"], axis=2),
        node("Cast", ["both"], ["ones"], to=Type.FLOAT),
        node("ReduceSum", ["ones", "along"], ["value"], keepdims=0),
    ]
    tensors = {"first": np.array([0]), "nothing": np.array(0), "oxygen": np.array(8), "along": np.array([1])}
    table = molecule_table(read_smiles(smiles))
    golden = {"molecule": np.concatenate([table, np.zeros((1, WIDTH), np.int64)])[None]}
    return Tiny(Signature((molecule,), (value,), {"A": most_atoms}), nodes, tensors, golden)


def write(name: str, folder: Path, **options) -> Path:
    """The bundle, in a folder to be made."""
    return write_tiny(counter(**options), name, folder, {})
