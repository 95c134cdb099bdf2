"""Is a generated image new, or a training image remembered?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, open_loader
from torchworks.shared.fidelity.distances import nearest
from torchworks.shared.fidelity.judge import FeatureSpace, features_of, reduce

EXPECTED = 0.05
"""The copy share of images that are as new as the test images."""


@dataclass(frozen=True)
class Neighbors:
    """Of each generated image the nearest training images: `distance` (N, k) ascending, `index` (N, k) into the
    training set. `copy_share` is the share of generated images nearer to the training set than all but the
    nearest 5 % of real test images are: near 0.05 if generated images are as new as real ones, above it if
    they repeat the training set (or vary less than real ones do), 1 if they are copies."""

    distance: Tensor
    index: Tensor
    copy_share: float


@dataclass(frozen=True)
class Copies:
    """Neighbors by `pixels` (root mean square difference, values in [-1, 1], images reduced to at most 32 × 32)
    and by `features` (Euclidean)."""

    pixels: Neighbors
    features: Neighbors

    def scores(self) -> dict[str, float]:
        return {"copy_share_pixels": self.pixels.copy_share, "copy_share_features": self.features.copy_share}


@torch.no_grad()
def nearest_copies(space: FeatureSpace, fake: Tensor, train: Dataset, test: Dataset, k: int = 3) -> Copies:
    """The `k` training images nearest to each of `fake` (N, C, H, W) in [-1, 1], on the CPU. How near is near is
    learnt from the distances of `test` to `train`, a three-sample comparison as in Meehan et al. 2020."""
    device = next(space.parameters()).device
    features = torch.cat([space.features(part.to(device)).cpu() for part in fake.split(256)])
    return Copies(
        _compare(_pixels(fake), _pixels_of(train), _pixels_of(test), k),
        _compare(features, features_of(space, train), features_of(space, test), k),
    )


def _compare(fake: Tensor, train: Tensor, test: Tensor, k: int) -> Neighbors:
    distance, index = nearest(fake, train, k)
    near = nearest(test, train)[0].quantile(EXPECTED)
    return Neighbors(distance, index, (distance[:, 0] <= near).double().mean().item())


def _pixels_of(dataset: Dataset) -> Tensor:
    return torch.cat([_pixels(batch["image"]) for batch in open_loader(dataset, LoaderConfig(), 256, train=False)])


def _pixels(images: Tensor) -> Tensor:
    """(N, D), scaled so that distances are root mean square differences."""
    flat = reduce(images).flatten(1).float().cpu()
    return flat / flat.shape[1] ** 0.5
