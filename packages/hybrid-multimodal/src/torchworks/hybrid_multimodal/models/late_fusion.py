"""Late fusion of a camera and a range sensor: each becomes one vector, and the two are joined at the end.

The idea, and what fusion by bearing is compared with: encoders that know nothing of each other, as in most early work
on several sensors (Baltrušaitis et al. 2019, arXiv:1705.09406, section 6 compares early, late and hybrid fusion):

    answer = MLP([f(image), g(beams), on])

The encoders are those of `bearing_fusion.py`; what is lost is that a column of the one and the same column of the other
belong together, which the MLP has to learn anew for each pair of columns.

Shapes: N scenes, H × W pixels, B beams, C columns, M components of the answer's mixture, K digits."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.bearing_fusion import (
    CameraColumns,
    RangeColumns,
    start_in_the_middle,
    working,
)


class LateFusion(nn.Module):
    """Images (N, 3, H, W) in [-1, 1] and beams (N, B) in metres → a mixture's raw numbers (N, M, 3) in tens of metres,
    where M is C, and logits of the digit in each column, (N, C, K)."""

    def __init__(
        self,
        *,
        size: tuple[int, int] = (32, 64),
        beams: int = 64,
        columns: int = 16,
        widths: Sequence[int] = (16, 32, 64, 64),
        width: int = 64,
        kinds: int = 11,
    ):
        super().__init__()
        self.camera, self.range = CameraColumns(widths, size, columns), RangeColumns(width, beams, columns)
        self.image = nn.Sequential(nn.Linear(widths[-1] * columns, 2 * width), nn.ReLU())
        self.echo = nn.Sequential(nn.Linear(width * columns, 2 * width), nn.ReLU())
        self.mix = nn.Sequential(nn.Linear(4 * width + 2, 2 * width), nn.ReLU())
        self.answer, self.weight = nn.Linear(2 * width, 2 * columns), nn.Linear(2 * width, columns)
        self.kind = nn.Conv1d(widths[-1], kinds, 1)
        start_in_the_middle(self.answer)
        nn.init.normal_(self.answer.weight, std=0.01)  # components that are alike would stay alike

    def forward(self, images: Tensor, beams: Tensor) -> tuple[Tensor, Tensor]:
        on = working(images, beams)
        seen = self.camera(images) * on[:, :1, None]
        heard = self.range(beams) * on[:, 1:, None]
        x = self.mix(torch.cat([self.image(seen.flatten(1)), self.echo(heard.flatten(1)), on], 1))
        raw = torch.cat([self.weight(x)[:, :, None], self.answer(x).unflatten(1, (-1, 2))], 2)
        return raw, self.kind(seen).transpose(1, 2)
