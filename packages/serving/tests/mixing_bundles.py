"""A bundle with two latents, of which the second may be left out, and optional numbers that have limits."""

from pathlib import Path

import numpy as np
from tiny_bundles import UNIT_IMAGE, Tiny, node, weights, write_tiny

from torchworks.shared.models.signature import Signature, TensorSpec

LAYERS = 4
LATENT = TensorSpec("latent", "latent", "float32", ("N", LAYERS))
INPUTS = (
    LATENT,
    TensorSpec("truncation", "features", "float32", ("N",), low=0, high=1, default=1.0),
    TensorSpec("fine", "latent", "float32", ("N", LAYERS)),
    TensorSpec("crossover", "features", "int64", ("N",), low=0, high=LAYERS, default=2),
)


def mixer() -> Tiny:
    """An image (N, 1, 8, 8) of the numbers of `latent` before `crossover`, and those of `fine` from there on, both
    times `truncation`."""
    nodes = [
        node("Unsqueeze", ["crossover", "along"], ["cut"]),
        node("Less", ["layer", "cut"], ["coarse"]),
        node("Where", ["coarse", "latent", "fine"], ["mixed"]),
        node("Unsqueeze", ["truncation", "along"], ["psi"]),
        node("Mul", ["mixed", "psi"], ["style"]),
        node("MatMul", ["style", "spread"], ["sum"]),
        node("Sigmoid", ["sum"], ["flat"]),
        node("Reshape", ["flat", "shape"], ["image"]),
    ]
    tensors = {
        "along": np.array([1]), "layer": np.arange(LAYERS), "spread": 100 * weights(LAYERS, 64),
        "shape": np.array([-1, 1, 8, 8]),
    }  # fmt: skip
    golden = {
        "latent": weights(2, LAYERS), "truncation": np.ones(2, np.float32), "fine": -weights(2, LAYERS),
        "crossover": np.array([1, 3]),
    }  # fmt: skip
    return Tiny(Signature(INPUTS, (UNIT_IMAGE,)), nodes, tensors, golden)


def write(folder: Path) -> Path:
    return write_tiny(mixer(), "mixer", folder)
