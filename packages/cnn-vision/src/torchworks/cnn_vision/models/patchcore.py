"""PatchCore: anomaly detection by the distance of each patch to the nearest patch of good images.

Roth, Pemula, Zepeda, Schölkopf, Brox & Gehler 2022, "Towards Total Recall in Industrial Anomaly Detection"
(arXiv:2106.08265).

The idea: keep the features of patches of good images in a memory M, thinned out to a coreset that covers them evenly,
and look new patches up in it. Nothing is trained; the features come from a net that was trained for another task.

    patch features   mean over 3 × 3 neighbors in two maps of a backbone, joined on one grid             eq. (1)-(3)
    coreset          M_C = argmin max_m min_n ‖m − n‖, greedily, in a random projection             eq. (4), (5), alg. 1
    distance         m* = the nearest of M to a patch; s* = the largest distance of an image's patches          eq. (6)
    score            s = (1 − exp s* / Σ_{m in the b nearest to m*} exp ‖m_test − m‖) · s*                      eq. (7)

The weight in eq. (7) is larger where m* itself has no close company in M. The heat map is the distance of each patch,
enlarged and smoothed.

What differs from the paper: the joined features keep all channels instead of being averaged down to 1,024, and each
is divided by its spread over good patches, so that maps of any scale count alike; smoothing is
a Gaussian of S/56 pixels, which is the paper's 4 at 224; eq. (7) is computed as a softmax, which cannot overflow.

Shape letters: N images, S pixels, h × w places of the grid, P patches, D features, M memory, b neighbors.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms.v2.functional import gaussian_blur


class PatchCore(nn.Module):
    """Images (N, 3, S, S) in [0, 1] → score (N,) and heat (N, S, S), distances of 0 or more.

    `backbone` gives two or more maps as the values of a dict; the grid has a place for every `stride` pixels. `spread`
    (D,) divides the features. `threshold` and `heat_threshold` are what good images rarely exceed. All three are set,
    and the memory filled, by `task.py`.
    """

    spread: Tensor
    threshold: Tensor
    heat_threshold: Tensor

    def __init__(self, backbone: nn.Module, stride: int, size: int, features: int, neighbors: int = 9):
        super().__init__()
        self.backbone, self.stride = backbone, stride
        self.memory = nn.Parameter(torch.zeros(size, features))  # (M, D)
        self.neighbors = min(neighbors, size)
        self.register_buffer("spread", torch.ones(features))
        self.register_buffer("threshold", torch.tensor(1.0))
        self.register_buffer("heat_threshold", torch.tensor(1.0))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        patches = self.patches(images)  # (N, D, h, w)
        distance = self.distances(patches)  # (N, h, w)
        return self.score(patches, distance), enlarged(distance, images.shape[-1])

    def patches(self, images: Tensor) -> Tensor:
        """Features of all patches, (N, D, h, w)."""
        return patch_features(self.backbone, images, self.stride) / self.spread.view(-1, 1, 1)

    def distances(self, patches: Tensor) -> Tensor:
        """To the nearest of the memory, (N, h, w), of patches (N, D, h, w)."""
        flat = patches.permute(0, 2, 3, 1).flatten(0, 2)  # (N·h·w, D)
        return to_nearest(flat, self.memory).view(patches.shape[0], *patches.shape[2:])

    def score(self, patches: Tensor, distance: Tensor) -> Tensor:
        """Eq. (6) and (7): (N,)."""
        largest, place = distance.flatten(1).max(1)  # (N,) each
        strangest = patches.flatten(2).gather(2, place[:, None, None].expand(-1, patches.shape[1], 1))[..., 0]  # (N, D)
        if self.neighbors == 1:
            return largest
        to_memory = pairwise(strangest, self.memory)  # (N, M)
        nearest = self.memory[to_memory.argmin(1)]  # (N, D), m*
        company = pairwise(nearest, self.memory).topk(self.neighbors, largest=False).indices  # (N, b), m* itself too
        weight = 1 - to_memory.gather(1, company).softmax(1)[:, 0]  # the first of the company is m*
        return weight * largest


def patch_features(backbone: nn.Module, images: Tensor, stride: int) -> Tensor:
    """(N, D, S / stride, S / stride): each map averaged over 3 × 3 places, then averaged or enlarged to the grid."""
    grid = images.shape[-1] // stride
    maps = [F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False) for x in backbone(images).values()]
    return torch.cat([_on_grid(x, grid) for x in maps], 1)


def _on_grid(maps: Tensor, grid: int) -> Tensor:
    if maps.shape[-1] > grid:
        return F.avg_pool2d(maps, maps.shape[-1] // grid)
    return F.interpolate(maps, (grid, grid), mode="bilinear")


def pairwise(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (A, B) of rows (A, D) and (B, D). As a product of matrices, which exports to any format; the
    mean of `b` is taken away first, or the squares would swallow small differences."""
    return ((a - b.mean(0)).square().sum(1, keepdim=True) + _beside(a, b)).clamp(min=0).sqrt()


def to_nearest(a: Tensor, b: Tensor) -> Tensor:
    """`pairwise(a, b).amin(1)` with one matrix (A, B) in memory instead of three."""
    return ((a - b.mean(0)).square().sum(1) + _beside(a, b).amin(1)).clamp(min=0).sqrt()


def _beside(a: Tensor, b: Tensor) -> Tensor:
    """‖b‖² − 2 a·b, (A, B): what the squared distances have beside ‖a‖², from the mean of `b`."""
    centre = b.mean(0)
    a, b = a - centre, b - centre
    return torch.addmm(b.square().sum(1), a, b.T, alpha=-2)


def enlarged(distance: Tensor, size: int) -> Tensor:
    """Heat (N, S, S) of distances (N, h, w): bilinear, then smoothed."""
    heat = F.interpolate(distance[:, None], (size, size), mode="bilinear")
    sigma = size / 56
    kernel = 2 * min(math.ceil(3 * sigma), (size - 1) // 2) + 1
    return gaussian_blur(heat, [kernel, kernel], [sigma, sigma])[:, 0]


def greedy_coreset(patches: Tensor, count: int, dimensions: int, generator: torch.Generator) -> Tensor:
    """Algorithm 1: indices (count,) of patches (P, D), each the one farthest from those taken before it.

    Distances are those in a random projection to `dimensions`, which keeps them nearly (Johnson & Lindenstrauss 1984);
    with D or fewer features nothing is projected. The first one is random.
    """
    points = patches
    if dimensions < patches.shape[1]:
        directions = torch.randn(patches.shape[1], dimensions, generator=generator) / dimensions**0.5
        points = patches @ directions.to(patches)
    squares = (points * points).sum(1)
    chosen = [int(torch.randint(len(points), (), generator=generator))]
    nearest = torch.full_like(squares, torch.inf)
    for _ in range(count - 1):
        last = chosen[-1]
        torch.minimum(nearest, squares - 2 * points @ points[last] + squares[last], out=nearest)
        nearest[last] = -torch.inf  # taken
        chosen.append(int(nearest.argmax()))
    return torch.tensor(chosen)
