"""How much the squared error of what a net predicts counts, by the noise level.

Any loss of these models is a weighted error of the image x₀ (Kingma & Gao 2023, section 3). A net that predicts
something else makes another error for the same image: the noise's is alpha² / sigma² times that of the image, and so
on. `per_image_error` is that factor, and the weightings that papers give for the image are divided by it.
"""

from torch import Tensor

from torchworks.diffusion.process.config import ProcessConfig
from torchworks.shared.denoising import Prediction
from torchworks.shared.denoising.predictions import SIGMA_DATA

GAMMA = 5.0
"""The limit of min-SNR (Hang et al. 2023, section 3.4)."""
LEAST_SIGMA = 0.05
"""Below it the velocity's weight grows no more (Li & He 2025, section 4)."""


def weights(config: ProcessConfig, alpha: Tensor, sigma: Tensor) -> Tensor | None:
    """What the squared errors of what the net predicts are multiplied by, (N,); None is 1.

    - none: all errors of what the net predicts count alike. With `noise` that is DDPM's simple loss (Ho et al. 2020,
      eq. 14), with `edm` EDM's (Karras et al. 2022, eq. 8, where λ · c_out² = 1).
    - min-snr: the image's error times min(SNR, 5), SNR = alpha² / sigma² (Hang et al. 2023, eq. 8).
    - sigmoid: the noise's error times sigmoid(-log SNR) (Kingma & Gao 2023, section 5).
    - velocity: the error of flow, noise - image, whatever the net predicts (Li & He 2025, eq. 6). For nets that
      predict the image.
    """
    if config.weighting == "none":
        return None
    ratio = alpha.square() / sigma.square()
    if config.weighting == "min-snr":
        wanted = ratio.clamp(max=GAMMA)
    elif config.weighting == "sigmoid":
        wanted = ratio / (1 + ratio)  # the noise's error is SNR times the image's
    else:
        wanted = ((alpha + sigma) / sigma.clamp(min=LEAST_SIGMA)).square()
    return wanted / per_image_error(config.prediction, alpha, sigma, config.sigma_data)


def per_image_error(kind: Prediction, alpha: Tensor, sigma: Tensor, sigma_data: float = SIGMA_DATA) -> Tensor:
    """The squared error of what a net of this `kind` predicts, per squared error of the image that follows from it,
    (N,)."""
    if kind == "image":
        return alpha.new_ones(alpha.shape)
    if kind == "noise":
        return (alpha / sigma).square()
    if kind == "v":
        return ((alpha.square() + sigma.square()) / sigma).square()
    if kind == "flow":
        return ((alpha + sigma) / sigma).square()
    return (alpha.square() * sigma_data**2 + sigma.square()) / (sigma * sigma_data).square()
