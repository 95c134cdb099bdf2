"""What can be measured of a drawn sign: slant, stroke width, breadth."""

import torch
from torch import Tensor

TRAITS = ("slant", "stroke width", "breadth")


def traits_of(images: Tensor) -> dict[str, Tensor]:
    """Each of `TRAITS` (N,) of bright signs on dark, images (N, C, S, S) in [0, 1], by moments of their brightness.

    With μ_pq the central moments, x to the right and y up, in pixels:

    | trait | measure |
    |---|---|
    | slant | μ₁₁ / μ₀₂: how far to the right the sign leans for each pixel of height |
    | stroke width | 2 Σ brightness / Σ ‖∇ brightness‖, the area over half of the outline, in pixels |
    | breadth | √((μ₂₀ − μ₁₁² / μ₀₂) / μ₀₂), width over height once it stands upright |
    """
    ink = images.float().mean(dim=1)  # (N, S, S)
    total = ink.sum(dim=(1, 2)).clamp(min=1e-6)
    place = torch.arange(ink.shape[-1], dtype=ink.dtype, device=ink.device)
    x, y = place.expand_as(ink), -place[:, None].expand_as(ink)
    x = x - ((ink * x).sum(dim=(1, 2)) / total)[:, None, None]
    y = y - ((ink * y).sum(dim=(1, 2)) / total)[:, None, None]
    wide, tall, mixed = ((ink * product).sum(dim=(1, 2)) / total for product in (x * x, y * y, x * y))
    tall = tall.clamp(min=1e-6)
    across, up = torch.gradient(ink, dim=(2, 1))
    outline = torch.hypot(across, up).sum(dim=(1, 2)).clamp(min=1e-6)
    upright = (wide - mixed.square() / tall).clamp(min=0)
    return {"slant": mixed / tall, "stroke width": 2 * total / outline, "breadth": (upright / tall).sqrt()}


def correlation_within(numbers: Tensor, trait: Tensor, groups: Tensor) -> float:
    """Pearson's correlation of `numbers` (N,) and `trait` (N,) when both are taken from their group's mean; `groups`
    (N,) are integers. 0 where one of them never changes."""
    a, b = (_centered(values.double(), groups) for values in (numbers, trait))
    scale = a.norm() * b.norm()
    return ((a * b).sum() / scale).item() if scale > 0 else 0.0


def _centered(values: Tensor, groups: Tensor) -> Tensor:
    counts = torch.bincount(groups).clamp(min=1)
    means = torch.bincount(groups, weights=values) / counts
    return values - means[groups]
