"""WGAN-GP: a critic that estimates a distance, kept 1-Lipschitz by a penalty on its slope.

Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville 2017, "Improved Training of Wasserstein GANs" (NeurIPS,
arXiv:1704.00028); the weight clipping that it replaces is of Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN" (ICML,
arXiv:1701.07875).

The idea: a discriminator that is sure of everything gives its generator no gradient. The Wasserstein distance between
real and generated images falls smoothly as they come nearer, and by Kantorovich and Rubinstein it is

    W(P_r, P_g) = sup over 1-Lipschitz D of  E D(x) − E D(x̂)

so a critic D is trained nearly to that supremum before each step of the generator, which then lowers −E D(x̂). D gives
any number, not a probability, and its loss is an estimate of the distance that falls as images get better. What keeps D
1-Lipschitz is, at points x̃ = ε x + (1 − ε) x̂ with ε uniform in [0, 1] (WGAN-GP eq. 3),

    L_D = E D(x̂) − E D(x) + λ E (‖∇D(x̃)‖₂ − 1)²        λ = 10, five steps of D for each of G, Adam (0, 0.9)

or, in the older paper, weights clipped to [−c, c] after each step, which leaves a critic far too simple (WGAN-GP
section 3). Since the penalty is on the slope at single images, D must not have batch norm, by which images of a batch
answer to each other; the paper has layer norm in its place (section 4, "No critic batch normalization").

The generator is DCGAN's (dcgan.py), with batch norm, as in the paper.

What differs: images of 28 and more pixels as in dcgan.py; small widths.

Shapes: N batch, C channels, S image size.
"""

from typing import Literal, cast

from torch import Tensor, nn

from torchworks.gans.models.dcgan import channel_plan, discriminator_trunk, initialize

CriticNorm = Literal["layer", "none"]


class WGANCritic(nn.Module):
    """Images (N, in_channels, S, S) in [-1, 1] to numbers (N,), larger for images that look real; rows do not touch.

    The layers are those of `DCGANDiscriminator`; `norm="layer"` normalizes an image's maps together, with a gain and a
    bias for each, in all stages but the first.
    """

    def __init__(
        self,
        image_size: int = 64,
        in_channels: int = 3,
        *,
        width: int = 64,
        max_channels: int = 512,
        kernel_size: int = 5,
        norm: CriticNorm = "layer",
    ):
        super().__init__()
        channels = channel_plan(image_size, width, max_channels)
        self.trunk = discriminator_trunk(image_size, in_channels, channels, kernel_size, "none")
        if norm == "layer":
            for stage, count in zip(list(self.trunk)[1:], channels[1:], strict=True):
                cast(nn.Sequential, stage).insert(1, nn.GroupNorm(1, count))  # one group: a layer norm of (C, H, W)
        self.head = nn.Linear(channels[-1] * 16, 1)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x).flatten(1)).squeeze(1)
