"""InfoGAN: a generator whose inputs include a code that can be read off its images again, and so comes to mean
something.

Chen, Duan, Houthooft, Schulman, Sutskever & Abbeel 2016, "InfoGAN: Interpretable Representation Learning by Information
Maximizing Generative Adversarial Nets" (NeurIPS, arXiv:1606.03657).

The idea: a GAN is free to ignore or entangle its latent numbers. InfoGAN splits them into noise z and a code c, a
category and a few numbers, and adds the mutual information between the code and the image to the game (eq. 3):

    min over G, max over D of  V(D, G) − λ I(c; G(z, c))

I(c; x) = H(c) − H(c | x) needs the posterior P(c | x), so it is bounded from below by a net Q that guesses the code
(eq. 4–5):

    L_I(G, Q) = E_{c ~ P(c), x ~ G(z, c)} log Q(c | x) + H(c)  ≤  I(c; G(z, c))

and min over G, Q, max over D of V(D, G) − λ L_I(G, Q) (eq. 6). Q shares all layers of D but its last; Q(category | x)
is a softmax, Q(number | x) a normal distribution of variance 1, as in the authors' experiments on digits; where its
variance was learned, numbers decided which digit it was, and the category did not. The bound is tight when Q finds the
code for sure: log K nats for one of K categories. The category that says most about images of digits should be which
digit it is.

The code is a part of the latent vector, so that images from noise alone need not know of it:

    category = ⌊K · Φ(z_i)⌋,   number = 2 Φ(z_j) − 1, evenly distributed in [−1, 1]

with Φ the normal distribution function and i, j the last places of the vector; or the code that is asked for.

What differs: D's trunk is spectrally normalized (spectral.py), Q's layers are not; the paper has batch norm. The recipe
has 12 noise numbers, not 62: with many of them the generator needs no category to draw ten digits, and the category
became a matter of stroke and size (docs/teaching.md has the scores).

Shapes: N batch, C channels, S image size, K categories, M numbers.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.models.dcgan import DCGANGenerator, Norm, channel_plan, discriminator_trunk, initialize
from torchworks.gans.models.spectral import SpectralLinear

DRAWN = 0
"""The category that leaves it to the latent vector; the others are 1 to K."""
DRAWN_NUMBER = -2.0
"""The number that leaves it to the latent vector; those drawn lie in [−1, 1], and up to 2 may be asked for."""
_HIDDEN = 128
"""Width of Q's own layer, as in the paper's appendix C.1."""


class Code(NamedTuple):
    """Categories (N,) in [0, K), and numbers (N, M)."""

    category: Tensor
    numbers: Tensor


class Guess(NamedTuple):
    """D's logits (N,), and Q: logits of categories (N, K), means of numbers (N, M)."""

    real: Tensor
    category: Tensor
    mean: Tensor


def category_bound(guess: Guess, code: Code) -> Tensor:
    """E log Q(category | x) + log K, in nats (eq. 5): 0 for a guess that knows nothing, log K for a sure one."""
    logits = guess.category.float()
    return math.log(logits.shape[1]) - F.cross_entropy(logits, code.category)


def number_bound(guess: Guess, code: Code) -> Tensor:
    """The same of all M numbers together, of which each has the entropy log 2 of a uniform one in [−1, 1]. Since Q's
    variance is 1, the most is log 2 − ½ log 2π = −0.23 for each: a bound, though not a tight one."""
    log_density = -((code.numbers - guess.mean.float()).square() + math.log(2 * math.pi)) / 2
    return (log_density + math.log(2)).sum(dim=1).mean()


class InfoGANGenerator(nn.Module):
    """Latent vectors (N, latent_dim) to images (N, out_channels, S, S) in [-1, 1]. The last 1 + `numbers` latent
    numbers are the code, unless another is asked for: categories (N,) from 1 to `categories` and numbers (N,) each,
    where `DRAWN` and `DRAWN_NUMBER` ask for nothing. Other sizes as in `DCGANGenerator`."""

    def __init__(
        self,
        image_size: int = 28,
        out_channels: int = 1,
        *,
        latent_dim: int = 65,
        categories: int = 10,
        numbers: int = 2,
        **sizes,
    ):
        super().__init__()
        self.latent_dim, self.categories, self.numbers = latent_dim, categories, numbers
        inputs = latent_dim - 1 + categories  # the category takes K places instead of one
        self.net = DCGANGenerator(image_size, out_channels, latent_dim=inputs, **sizes)

    def code_of(self, z: Tensor) -> Code:
        """The code that latent vectors (N, latent_dim) hold."""
        even = torch.erf(z[:, -1 - self.numbers :].float() / math.sqrt(2))  # in [-1, 1]
        category = ((even[:, 0] + 1) / 2 * self.categories).long().clamp(max=self.categories - 1)
        return Code(category, even[:, 1:])

    def forward(self, z: Tensor, category: Tensor | None = None, *numbers: Tensor) -> Tensor:
        code = self.code_of(z)
        if category is not None:
            code = self._asked(code, category, numbers)
        one_hot = (code.category[:, None] == torch.arange(self.categories, device=z.device)).to(z.dtype)
        return self.net(torch.cat([z[:, : -1 - self.numbers], one_hot, code.numbers.to(z.dtype)], dim=1))

    def _asked(self, drawn: Code, category: Tensor, numbers: tuple[Tensor, ...]) -> Code:
        chosen = torch.where(category == DRAWN, drawn.category, category - 1)
        if not numbers:
            return Code(chosen, drawn.numbers)
        asked = torch.stack(numbers, dim=1).to(drawn.numbers.dtype)  # (N, M)
        return Code(chosen, torch.where(asked == DRAWN_NUMBER, drawn.numbers, asked))


class InfoGANDiscriminator(nn.Module):
    """Images (N, in_channels, S, S) in [-1, 1] to a `Guess`: D and Q on one trunk. Sizes as in `DCGANDiscriminator`."""

    def __init__(
        self,
        image_size: int = 28,
        in_channels: int = 1,
        *,
        categories: int = 10,
        numbers: int = 2,
        width: int = 64,
        max_channels: int = 512,
        kernel_size: int = 4,
        norm: Norm = "spectral",
    ):
        super().__init__()
        self.sizes = [categories, numbers]
        channels = channel_plan(image_size, width, max_channels)
        self.trunk = discriminator_trunk(image_size, in_channels, channels, kernel_size, norm)
        self.head = (SpectralLinear if norm == "spectral" else nn.Linear)(channels[-1] * 16, 1)
        initialize(self)
        self.q = nn.Sequential(
            nn.Linear(channels[-1] * 16, _HIDDEN),
            nn.LayerNorm(_HIDDEN),
            nn.LeakyReLU(0.1),
            nn.Linear(_HIDDEN, sum(self.sizes)),
        )

    def forward(self, x: Tensor) -> Guess:
        features = self.trunk(x).flatten(1)
        return Guess(self.head(features).squeeze(1), *self.q(features).split(self.sizes, dim=1))
