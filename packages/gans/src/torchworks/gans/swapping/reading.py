"""How a face is held and what it does, read from an image by ridge regression. It judges swaps; no net learns from it.

How the head is held is read from the whole image, reduced to 32 × 32 pixels. What mouth, eyes and brows do is read from
pixels at the places of the face where they are, which the true pose tells: if a swap has them elsewhere, they are read
wrongly.

With pixels x and numbers y, both of mean 0, the weights minimize Σ ‖y − W x‖² + λ ‖W‖² (Hoerl & Kennard 1970); they are
found by the N × N system of the dual.

Shape letters: N images, S pixels a side, M places of a face, D pixels, P numbers.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.gans.data.face_drawing import places
from torchworks.gans.data.face_numbers import EXPRESSION, HELD, POSE, Person, pose_of

PENALTY = 1e-2
"""λ, as a share of the mean of the images' own products."""
SIDE = 32
READ = (*HELD, *EXPRESSION)
"""What is read, in this order."""


class Ridge:
    """Numbers (N, P) of rows (N, D), learnt from others."""

    def __init__(self, rows: Tensor, numbers: Tensor):
        x, y = rows.double(), numbers.double()
        self.mean, self.shift = x.mean(0), y.mean(0)
        x, y = x - self.mean, y - self.shift
        products = x @ x.T
        loaded = products + PENALTY * products.diagonal().mean() * torch.eye(len(x), dtype=torch.float64)
        self.weights = x.T @ torch.linalg.solve(loaded, y)

    def __call__(self, rows: Tensor) -> Tensor:
        return (rows.double() - self.mean) @ self.weights + self.shift


class FaceReader:
    """`READ` of images (N, 3, S, S) in [0, 1] of one person in known `poses` (N, 17), learnt from renders of it."""

    def __init__(self, who: Person, images: Tensor, poses: Tensor):
        self.who = who
        numbers = poses[:, [POSE.index(name) for name in READ]]
        self.held = Ridge(whole(images), numbers[:, : len(HELD)])
        self.expression = Ridge(self._features(images, poses), numbers[:, len(HELD) :])

    def __call__(self, images: Tensor, poses: Tensor) -> Tensor:
        """(N, 9) on the CPU."""
        images, poses = images.cpu(), poses.cpu()
        return torch.cat([self.held(whole(images)), self.expression(self._features(images, poses))], 1)

    def _features(self, images: Tensor, poses: Tensor) -> Tensor:
        """Pixels at the mouth, the eyes and the brows, (N, D)."""
        x, y = _places(self.who)
        at = np.stack([places(self.who, pose_of(pose), x, y) for pose in poses.numpy()])
        grid = torch.from_numpy(at).to(images)[:, None]  # (N, 1, M, 2)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False).flatten(1)


def _places(who: Person) -> tuple[np.ndarray, np.ndarray]:
    """In a head's coordinates, (M,) each."""
    patches = [_patch(0.0, who.nose_length + 0.22, 0.32, 0.2, 17, 12)]
    patches += [_patch(side * who.eye_distance, -0.15, 0.17, 0.22, 13, 16) for side in (-1, 1)]
    x, y = np.concatenate(patches, 1)
    return x, y


def _patch(x: float, y: float, half_width: float, half_height: float, columns: int, rows: int) -> np.ndarray:
    across, down = np.linspace(-half_width, half_width, columns), np.linspace(-half_height, half_height, rows)
    return np.stack([x + np.tile(across, rows), y + np.repeat(down, columns)])


def whole(images: Tensor) -> Tensor:
    """Pixels (N, D) of images (N, 3, S, S), reduced to 32 × 32."""
    return F.adaptive_avg_pool2d(images.float(), min(SIDE, images.shape[-1])).flatten(1)


def correlation(read: Tensor, truth: Tensor) -> Tensor:
    """Pearson's, of each column of (N, P): (P,)."""
    a, b = (each.double() - each.double().mean(0) for each in (read, truth))
    return (a * b).sum(0) / (a.square().sum(0) * b.square().sum(0)).sqrt().clamp(min=1e-12)
