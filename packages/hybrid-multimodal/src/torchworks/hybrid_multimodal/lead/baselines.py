"""What answers without fusion, or by a rule that is written by hand.

Shape letters: N scenes, B beams, W pixels along the camera.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.lead.metrics import scores_of
from torchworks.shared.data import Dataset, resident

BESIDE = 2
"""Beams at each side of the brightest column that are asked too."""
SMOOTH = 5
"""Columns over which brightness is averaged."""
STEP = 1.5
"""Metres by which neighboring echoes of one object differ at most."""
BRIGHTEST = 10
"""An object is as bright as the tenth of its pixels that is brightest."""


def baselines(train: Dataset, test: Dataset) -> dict[str, float]:
    """Mean error and share within a metre of: `mean`, the mean training distance; `nearest`, the nearest echo;
    `brightest_column`, the echoes where the camera is brightest; `rule`, objects found in the beams, of which the
    brighter one in the camera counts; `coin`, which knows both distances and not which of them."""
    known, rows = resident(train).tensors, resident(test).tensors
    distance, beams, mean = rows["distance"], rows["beams"], known["distance"].mean().item()
    bright = rows["image"].float().mean(1)
    wall = wall_of(known)
    found = {
        "mean": torch.full_like(distance, mean),
        "nearest": torch.tensor([min((_echo(line[run]) for run in runs(line, wall)), default=mean) for line in beams]),
        "brightest_column": brightest_column(bright, beams, mean),
        "rule": by_rule(bright, beams, wall, mean),
    }
    values = {name: value for key, each in found.items() for name, value in scores_of(each, distance, key).items()}
    if "other" in rows:
        error = (distance - rows["other"]).abs().double()
        values |= {"mae_coin": error.mean().item() / 2, "within_1m_coin": (1 + (error < 1).double().mean().item()) / 2}
    return values


def wall_of(train: dict[str, Tensor]) -> float:
    """Metres beyond which an echo is of the ground: no object of training is further away."""
    return train["distance"].max().item() + 0.8


def brightest_column(bright: Tensor, beams: Tensor, otherwise: float) -> Tensor:
    """The median echo around the column whose pixels (N, H, W) are brightest, (N,)."""
    profile = F.avg_pool1d(bright.topk(3, dim=1).values.mean(1)[:, None], SMOOTH, 1, SMOOTH // 2)[:, 0]
    at = profile.argmax(1) * beams.shape[1] // bright.shape[2]
    found = []
    for line, column in zip(beams, at.tolist(), strict=True):
        near = line[max(0, column - BESIDE) : column + BESIDE + 1]
        found.append(_echo(near) if bool((near > 0).any()) else otherwise)
    return torch.tensor(found)


def by_rule(bright: Tensor, beams: Tensor, wall: float, otherwise: float) -> Tensor:
    """Neighboring echoes of about one distance are an object; of these the median of the one that is brighter in the
    camera (N, H, W), (N,)."""
    scale = bright.shape[2] / beams.shape[1]
    found = []
    for image, line in zip(bright, beams, strict=True):
        seen = []
        for run in runs(line, wall):
            pixels = image[:, int(run[0] * scale) : int((run[-1] + 1) * scale)].flatten()
            shine = pixels.topk(max(1, len(pixels) // BRIGHTEST)).values.mean().item()
            seen.append((shine, _echo(line[run])))
        found.append(max(seen)[1] if seen else otherwise)
    return torch.tensor(found)


def runs(line: Tensor, wall: float) -> Iterator[list[int]]:
    """The beams of each object before the `wall`, two at least; beams without an echo are left out."""
    run: list[int] = []
    values = line.tolist()
    for beam, metres in enumerate([*values, wall]):
        if metres == 0:
            continue
        if run and (metres >= wall or abs(metres - values[run[-1]]) > STEP):
            if len(run) > 1:
                yield run
            run = []
        if metres < wall:
            run.append(beam)


def _echo(beams: Tensor) -> float:
    """The median of those that there are."""
    return beams[beams > 0].median().item()
