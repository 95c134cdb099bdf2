"""Meso-4, a small net that tells generated faces from photographs.

Afchar, Nozick, Yamagishi & Echizen 2018, "MesoNet: a Compact Facial Video Forgery Detection Network"
(arXiv:1809.00888), section 3.1, figure 4: four convolutions, each with batch normalization and max pooling by 2, 2, 2
and 4, so that what is looked at lies between pixels and whole faces; then 16 numbers and one logit, with dropout of ½
before each. For images of 256 × 256 pixels it has 27,977 parameters.

What differs: one logit above 0 stands for a swapped face, where the paper's net says the probability of a real one.

Shape letters: N images, S pixels a side.
"""

from torch import Tensor, nn

KERNELS, POOLS, WIDER = (3, 5, 5, 5), (2, 2, 2, 4), (1, 1, 2, 2)
SLOPE, DROP_RATE = 0.1, 0.5
SMALLEST = 32
"""Pixels a side that the poolings need."""


class Meso4(nn.Module):
    """Images (N, 3, S, S) in [0, 1] to logits (N,); above 0 is swapped. The paper's `width` is 8."""

    def __init__(self, image_size: int, *, width: int = 8, hidden_dim: int = 16):
        super().__init__()
        assert image_size >= SMALLEST, f"images of {image_size} pixels are too small; it takes {SMALLEST}"
        layers: list[nn.Module] = []
        channels = 3
        for kernel, pool, wider in zip(KERNELS, POOLS, WIDER, strict=True):
            out = width * wider
            layers += [
                nn.Conv2d(channels, out, kernel, padding=kernel // 2), nn.ReLU(),
                nn.BatchNorm2d(out), nn.MaxPool2d(pool),
            ]  # fmt: skip
            channels = out
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(DROP_RATE), nn.Linear(channels * (image_size // SMALLEST) ** 2, hidden_dim),
            nn.LeakyReLU(SLOPE), nn.Dropout(DROP_RATE), nn.Linear(hidden_dim, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)).squeeze(1)
