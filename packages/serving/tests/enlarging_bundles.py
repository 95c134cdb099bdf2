"""A bundle that takes images of any size: each pixel becomes 2 × 2."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from tiny_bundles import Tiny, write_tiny

from torchworks.shared.models.signature import Signature, TensorSpec

MOST = 160
IMAGE = TensorSpec("image", "image", "uint8", ("N", 3, "H", "W"))
ENLARGED = TensorSpec("enlarged", "image", "float32", ("N", 3, "H2", "W2"), low=0.0, high=1.0)
SIGNATURE = Signature((IMAGE,), (ENLARGED,), most={"H": MOST, "W": MOST})


def write_enlarger(name: str, folder: Path) -> Path:
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "white"], ["unit"]),
        helper.make_node("Resize", ["unit", "", "scales"], ["enlarged"], mode="nearest"),
    ]
    weights = {"white": np.array(255, np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
    golden = {"image": np.random.default_rng(0).integers(0, 256, (1, 3, 5, 6), dtype=np.uint8)}
    return write_tiny(Tiny(SIGNATURE, nodes, weights, golden), name, folder, {"image": {"fit": "whole"}})
