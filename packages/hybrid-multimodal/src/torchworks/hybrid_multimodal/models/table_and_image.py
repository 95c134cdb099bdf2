"""A number told from a picture and a row of a table.

Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data" (arXiv:2106.11959), for the row: categories as
learned vectors, numbers standardized, an MLP behind; a small convolutional net for the picture; and the two joined as
in late fusion (Baltrušaitis et al. 2019, arXiv:1705.09406, section 6).

The idea: neither half suffices, and how they belong together is learned. The answer is a mixture of Laplace
distributions (`laplace_mixture.py`) of what both say apart and together:

    v = f(picture),   t = g(row),   answer = A v + B t + MLP([v, t])

A and B let the halves add up, which is a product where the target is taken as a logarithm; the MLP is for the rest. A
number beside its own value has its logarithm, so that a factor can be learned, and whether it is known at all. What is
not known counts as the mean; of a picture that is black all over nothing is read.

Shapes: N rows, C channels, S pixels along a picture, F numbers, G columns of categories, W width, K components."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.scene_encoder import SceneMap

DARK = -1 + 2 * 16 / 255
"""A picture in [-1, 1] without a pixel above this, 16 of 255, is none."""


def signed_log(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|)."""
    return values.sign() * values.abs().log1p()


class RowEncoder(nn.Module):
    """Numbers (N, F), which of them are known, (N, F), and categories int64 (N, G) with `sizes` values each, of which 0
    is none that is known → vectors (N, W). `center` and `scale` (2, F) standardize the numbers and their logarithms."""

    center: Tensor
    scale: Tensor

    def __init__(self, center: Sequence[Sequence[float]], scale: Sequence[Sequence[float]], sizes: Sequence[int],
                 width: int, embed_dim: int = 8, drop_rate: float = 0.0):  # fmt: skip
        super().__init__()
        self.register_buffer("center", torch.tensor(center).view(2, -1), persistent=False)
        self.register_buffer("scale", torch.tensor(scale).view(2, -1), persistent=False)
        self.embeddings = nn.ModuleList(nn.Embedding(size, embed_dim) for size in sizes)
        self.layers = nn.Sequential(
            nn.Linear(3 * self.center.shape[1] + embed_dim * len(sizes), width), nn.ReLU(), nn.Dropout(drop_rate),
            nn.Linear(width, width), nn.ReLU(),
        )  # fmt: skip

    def forward(self, numbers: Tensor, known: Tensor, categories: Tensor) -> Tensor:
        both = torch.stack([numbers, signed_log(numbers)], 1)  # (N, 2, F)
        scaled = (both - self.center) / self.scale * known[:, None]
        named = [embedding(column) for embedding, column in zip(self.embeddings, categories.unbind(1), strict=True)]
        return self.layers(torch.cat([scaled.flatten(1), known, *named], 1))


class TableAndImage(nn.Module):
    """Pictures (N, C, S, S) in [-1, 1], numbers (N, F), which of them are known, and categories int64 (N, G) → a
    mixture's raw numbers (N, K, 3) in units of the standardized target."""

    def __init__(
        self,
        *,
        center: Sequence[Sequence[float]],
        scale: Sequence[Sequence[float]],
        sizes: Sequence[int],
        image_size: int = 32,
        in_channels: int = 1,
        widths: Sequence[int] = (32, 64, 96),
        width: int = 128,
        components: int = 5,
        drop_rate: float = 0.1,
    ):
        super().__init__()
        cells = image_size // 2 ** len(widths)
        if not cells:
            raise ValueError(f"a picture of {image_size} pixels cannot be halved {len(widths)} times.")
        self.map = SceneMap(widths, blocks=0, in_channels=in_channels)
        self.picture = nn.Sequential(
            nn.Dropout(drop_rate), nn.Linear(widths[-1] * cells**2, width), nn.ReLU(), nn.Dropout(drop_rate),
            nn.Linear(width, width),
        )  # fmt: skip
        self.row = RowEncoder(center, scale, sizes, width, drop_rate=drop_rate)
        self.together = nn.Sequential(nn.Linear(2 * width + 1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.answer = nn.Linear(3 * width, 3 * components)
        nn.init.normal_(self.answer.weight, std=0.05)  # much less, and nothing of the picture is learned for long
        with torch.no_grad():
            spread = torch.linspace(-1, 1, components) if components > 1 else torch.zeros(1)
            self.answer.bias.view(-1, 3).copy_(torch.stack([0 * spread, 0.5 * spread, 0 * spread], 1))

    def forward(self, images: Tensor, numbers: Tensor, known: Tensor, categories: Tensor) -> Tensor:
        there = (images.amax((1, 2, 3)) > DARK).to(images.dtype)[:, None]
        v = self.picture(self.map(images).flatten(1)) * there
        t = self.row(numbers, known, categories)
        return self.answer(torch.cat([v, t, self.together(torch.cat([v, t, there], 1))], 1)).unflatten(1, (-1, 3))
