"""Distances between two sets of feature vectors, and what a histogram of classes says: pure functions.

Shapes: N, M vectors of D features. Everything pairwise is computed in float64 on the CPU, a block of rows at a
time, so that memory stays small and equal vectors are at distance exactly 0.
"""

from collections.abc import Iterator
from math import log, nan

import torch
from torch import Tensor

from torchworks.shared.config import UserError

_ROWS = 1024


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and unbiased covariance (D, D) of `features` (N, D), float64; raises `UserError` for N < 2."""
    if len(features) < 2:
        raise UserError(
            f"A distance between sets of images needs at least 2 images on each side, but one has {len(features)}. "
            "Give it more images."
        )
    x = _exact(features)
    mean = x.mean(0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def frechet(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """Squared Fréchet distance of two Gaussians (Dowson and Landau 1982; Heusel et al. 2017, eq. 6):

        |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½)

    The trace of the root is that of (Σ₁^½ Σ₂ Σ₁^½)^½, whose argument is symmetric, so singular covariances
    (fewer vectors than features) do no harm. At least 0; nan if a moment is not finite. With N vectors the
    estimate is too large by a term of order D²/N: compare only numbers of the same N.
    """
    mean1, cov1, mean2, cov2 = (_exact(moment) for moment in (mean1, cov1, mean2, cov2))
    if not all(moment.isfinite().all() for moment in (mean1, cov1, mean2, cov2)):
        return nan
    values, vectors = torch.linalg.eigh(cov1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov2 @ root).clamp(min=0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * cross
    return max(0.0, distance.item())


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Kernel distance of `real` (N, D) and `fake` (M, D): the unbiased estimate of the squared maximum mean
    discrepancy with the kernel (x·y/D + 1)³ (Bińkowski et al. 2018, section 4), over all pairs.

    Its expectation does not depend on N and M; it may be a little below 0. Raises `UserError` for N or M < 2.
    """
    if min(len(real), len(fake)) < 2:
        raise UserError("A kernel distance needs at least 2 images on each side. Give it more images.")
    real, fake = _exact(real), _exact(fake)
    return _kernel_mean(real) + _kernel_mean(fake) - 2 * _kernel_mean(real, fake)


def _kernel_mean(x: Tensor, y: Tensor | None = None) -> float:
    """Mean kernel over all pairs of `x` and `y`, or over all pairs of different rows of `x`."""
    others = x if y is None else y
    total = sum(_kernel(part @ others.T, x.shape[1]).sum().item() for part in x.split(_ROWS))
    if y is not None:
        return total / (len(x) * len(y))
    return (total - _kernel(x.square().sum(1), x.shape[1]).sum().item()) / (len(x) * (len(x) - 1))


def _kernel(products: Tensor, dimensions: int) -> Tensor:
    return (products / dimensions + 1) ** 3


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall of `fake` (M, D) against `real` (N, D) (Kynkäänniemi et al. 2019, eq. 1–3).

    A set's manifold is the union of balls around its vectors, each reaching to the k-th nearest other vector of
    the set (to the farthest if there are fewer than k others). Precision is the share of fakes on the real
    manifold, recall the share of reals on the fake one. Meant for N = M.
    """
    real, fake = _exact(real), _exact(fake)
    return _share_inside(fake, real, k), _share_inside(real, fake, k)


def _share_inside(x: Tensor, centres: Tensor, k: int) -> float:
    others = min(k, len(centres) - 1)
    radii = torch.cat([part.topk(others + 1, largest=False).values[:, -1] for part in _rows(centres, centres)])
    inside = [(part <= radii).any(1) for part in _rows(x, centres)]
    return torch.cat(inside).double().mean().item()


def _rows(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """The matrix of distances between `x` and `y`, some rows at a time."""
    for part in x.split(_ROWS):
        yield torch.cdist(part, y, compute_mode="donot_use_mm_for_euclid_dist")


def _exact(features: Tensor) -> Tensor:
    return features.detach().cpu().double()


def nearest(queries: Tensor, candidates: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """Distances (N, k), ascending, and indices (N, k) of the `k` rows of `candidates` (M, D) nearest to each row
    of `queries` (N, D); k is at most M. Made for many long rows: found by matrix products in float32, where rows
    almost equally near may change places, then measured exactly."""
    k = min(k, len(candidates))
    indices = [torch.cdist(part, candidates).topk(k, largest=False).indices for part in queries.split(_ROWS)]
    index = torch.cat(indices)
    distance = torch.stack([(queries - candidates[column]).norm(dim=1) for column in index.T], dim=1)
    distance, order = distance.sort(dim=1)
    return distance, index.gather(1, order)


def class_entropy(classes: Tensor, num_classes: int) -> float:
    """Entropy of the histogram of `classes`, int64 (N,), divided by log `num_classes`: 1 if all are equally
    frequent, 0 if there is only one."""
    shares = _shares(classes, num_classes)
    return -torch.special.xlogy(shares, shares).sum().item() / log(num_classes) + 0.0  # not -0


def classes_covered(classes: Tensor, num_classes: int) -> int:
    """How many of the K = `num_classes` classes have at least a quarter of an equal share, 1/(4K), of `classes`,
    int64 (N,)."""
    return int((_shares(classes, num_classes) * 4 * num_classes >= 1).sum())


def _shares(classes: Tensor, num_classes: int) -> Tensor:
    return torch.bincount(classes.cpu(), minlength=num_classes).double() / len(classes)
