"""Observations as inputs of exported and served agents."""

from torch import Tensor

from torchworks.rl.environments.opening import Kind
from torchworks.shared.models.predictor import TensorSpec


def observation_of(kind: Kind) -> TensorSpec:
    """Float32 (N, D) or (N, C, H, W), with the limits that whole numbers of a grid have."""
    low, high = (0, kind.most) if kind.most else (None, None)
    return TensorSpec("observation", "features", "float32", ("N", *kind.shape), low=low, high=high)


LARGEST = 1e18
"""Beyond it a net's sums would overflow, though an observation is finite."""


def within_reach(observation: Tensor) -> Tensor:
    """`observation` with its numbers in ±`LARGEST`, so that an answer to any finite one is finite."""
    return observation.clamp(-LARGEST, LARGEST)
