"""A bundle that plays Connect Four: it likes columns by how far right they are, and never chooses a full one."""

from pathlib import Path

import numpy as np
from tiny_bundles import Tiny, node, write_tiny

from torchworks.shared.models.signature import Signature, TensorSpec

COLUMNS = tuple(str(column + 1) for column in range(7))


def player() -> Tiny:
    """observation (N, 3, 6, 7) → the free column farthest right, softmax of 0 to 6 where columns are free, a half."""
    board = TensorSpec("observation", "features", "float32", ("N", 3, 6, 7), low=0, high=1, game="connect-four")
    outputs = (
        TensorSpec("action", "label", "int64", ("N",), low=0, high=6, labels=COLUMNS),
        TensorSpec("probability", "label", "float32", ("N", 7), low=0, high=1, labels=COLUMNS),
        TensorSpec("value", "features", "float32", ("N",), low=-1, high=1),
    )
    nodes = [
        node("Gather", ["observation", "third"], ["free"], axis=1),  # (N, 6, 7)
        node("ReduceMax", ["free", "rows"], ["open"], keepdims=0),  # (N, 7)
        node("Sub", ["open", "one"], ["shut"]),
        node("Mul", ["shut", "many"], ["penalty"]),
        node("Add", ["penalty", "liked"], ["logits"]),
        node("ArgMax", ["logits"], ["action"], axis=1, keepdims=0),
        node("Softmax", ["logits"], ["probability"], axis=1),
        node("ReduceMax", ["open", "along"], ["any"], keepdims=0),
        node("Mul", ["any", "half"], ["value"]),
    ]
    tensors = {
        "third": np.array(2), "rows": np.array([1]), "along": np.array([1]), "one": np.array(1, np.float32),
        "many": np.array(1000, np.float32), "liked": np.arange(7, dtype=np.float32), "half": np.array(0.5, np.float32),
    }  # fmt: skip
    golden = np.zeros((1, 3, 6, 7), np.float32)
    golden[0, 2, 5] = 1
    return Tiny(Signature((board,), outputs), nodes, tensors, {"observation": golden})


def write(name: str, folder: Path) -> Path:
    """The bundle, in a folder to be made."""
    return write_tiny(player(), name, folder, {})
