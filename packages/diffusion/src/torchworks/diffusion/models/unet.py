"""The U-Net of diffusion models, told the time and, if wanted, the class.

Ho et al. 2020, "Denoising Diffusion Probabilistic Models" (arXiv:2006.11239, appendix B), with the conditioning of
Dhariwal & Nichol 2021 (arXiv:2105.05233, section 3). Names of parameters are those of diffusers' `UNet2DModel`, whose
weights load as they are.

The idea: one net predicts from a noisy image and the time what was added to it, or what lies under it. The time is a
vector of cosines and sines, to which the class's own vector is added; every residual block is scaled and shifted by it.

    e = W_2 SiLU(W_1 [cos(t ω), sin(t ω)]) + class[y],        net(x, t, y) = trunk(x, e)

What differs from the papers: convolutions that end a residual branch, and the last one, start at 0 (`zero_output`), so
that a new net answers 0. `fold` makes fold × fold pixels channels of one (space to depth): 16 pixels with `fold=2` are
an 8 × 8 image of 4 channels, which costs a third. Images of any size are padded below and on the right, by repeating
their last row and column, to a multiple of fold · 2^(levels - 1), and what is predicted for the padding is cut off. The
class `num_classes` stands for "no class", which classifier-free guidance needs (Ho & Salimans 2022, arXiv:2207.12598).

Of `UNet2DModel` it is `attn_norm_num_groups=norm_num_groups`: there, with "scale_shift", attention in the middle has no
norm unless that is given.

Shape letters: N images, C channels, H height, W width, K classes.
"""

from torch import Tensor, nn

from torchworks.diffusion.models.blocks import ImageAttention, TimeEmbedding, sinusoidal
from torchworks.diffusion.models.trunk import Trunk, TrunkSize


class UNet(Trunk):
    """Images (N, in_channels, H, W) of any size, times (N,) from 0 to 1000 and classes (N,) → (N, out_channels, H, W).

    `widths` are the channels of each level, `layers` its residual blocks, `attention` whether it has attention, with
    heads of `head_dim` channels. `num_classes` 0 is a net without classes. Raises `UserError` for sizes that do not
    fit.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        out_channels: int | None = None,
        widths: tuple[int, ...] = (32, 64),
        layers: int = 1,
        attention: tuple[bool, ...] | None = None,
        mid_attention: bool = False,
        head_dim: int = 8,
        num_classes: int = 0,
        scale_shift: bool = True,
        groups: int = 8,
        dropout: float = 0.0,
        fold: int = 1,
        zero_output: bool = True,
    ):
        attention = attention or (False,) * len(widths)
        size = TrunkSize(widths, layers, attention, mid_attention, scale_shift, groups, dropout, fold, zero_output)
        super().__init__(
            in_channels,
            out_channels or in_channels,
            size,
            lambda level: ImageAttention(widths[level], head_dim, groups=groups, zero=zero_output),
        )
        self.num_classes = num_classes
        self.time_embedding = TimeEmbedding(widths[0], 4 * widths[0])
        self.class_embedding = nn.Embedding(num_classes + 1, 4 * widths[0]) if num_classes else None

    def forward(self, x: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """`label` (N,), int64, is from 0 to K; K, and None, is "no class"."""
        angles = sinusoidal(time, self.time_embedding.linear_1.in_features)
        embedding = self.time_embedding(angles.to(self.conv_in.weight.dtype))
        if self.class_embedding is not None:
            of_class = self.class_embedding.weight[-1] if label is None else self.class_embedding(label)
            embedding = embedding + of_class
        elif label is not None:
            raise ValueError("This net was built without classes (num_classes=0), so it takes no label.")
        return self.trunk(x, embedding)
