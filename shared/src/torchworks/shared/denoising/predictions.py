"""What a net predicts from a noisy image x = alpha · x₀ + sigma · ε, and how image and noise follow from it.

| kind | the net predicts | source |
|---|---|---|
| noise | ε | Ho et al. 2020, eq. 14 |
| image | x₀ | the same paper, section 3.2; Li & He 2025 |
| v | alpha · ε - sigma · x₀ | Salimans & Ho 2022, appendix D |
| flow | ε - x₀, the velocity of a straight path | Liu et al. 2022, eq. 1 |
| edm | F in x₀ = c_skip · x + c_out · F | Karras et al. 2022, eq. 7 |

Functions take floats or tensors as `alpha` and `sigma`, whose shapes allow multiplication with images.
"""

from typing import Any, Literal, get_args

from torchworks.shared.config import UserError
from torchworks.shared.denoising.levels import Level

Prediction = Literal["noise", "image", "v", "flow", "edm"]
SIGMA_DATA = 0.5
"""Standard deviation of images that EDM's factors assume, in [-1, 1]."""


def image_of(
    kind: Prediction, predicted: Any, x: Any, alpha: Any, sigma: Any, *, sigma_data: float = SIGMA_DATA
) -> Any:
    """The image x₀ that follows from what the net `predicted` from `x`."""
    if kind == "image":
        return predicted
    if kind == "noise":
        return (x - sigma * predicted) / alpha
    if kind == "v":  # alpha · x - sigma · v = (alpha² + sigma²) x₀
        return (alpha * x - sigma * predicted) / (alpha * alpha + sigma * sigma)
    if kind == "flow":  # x - sigma · (ε - x₀) = (alpha + sigma) x₀
        return (x - sigma * predicted) / (alpha + sigma)
    skip, out = _edm_factors(alpha, sigma, sigma_data)
    return skip * x + out * predicted


def target_of(
    kind: Prediction, image: Any, noise: Any, alpha: Any, sigma: Any, *, sigma_data: float = SIGMA_DATA
) -> Any:
    """What a net of this `kind` should predict from `image` with `noise`."""
    if kind == "noise":
        return noise
    if kind == "image":
        return image
    if kind == "v":
        return alpha * noise - sigma * image
    if kind == "flow":
        return noise - image
    skip, out = _edm_factors(alpha, sigma, sigma_data)
    return (image - skip * (alpha * image + sigma * noise)) / out


def input_factor(kind: Prediction, alpha: Any, sigma: Any, *, sigma_data: float = SIGMA_DATA) -> Any:
    """What `x` is multiplied by before the net sees it: 1, but for edm, where it makes the variance 1 (c_in)."""
    if kind != "edm":
        return 1.0
    return (alpha * alpha * sigma_data**2 + sigma * sigma) ** -0.5


def check_prediction(kind: Prediction, noisiest: Level) -> None:
    """Raises `UserError` if nothing about the image follows from what the net predicts where there is noise alone."""
    if kind not in get_args(Prediction):
        raise UserError(f"There is no prediction '{kind}'. Predictions: {', '.join(get_args(Prediction))}.")
    if kind == "noise" and noisiest.alpha == 0:
        raise UserError(
            "The last level of this path is noise alone, where a net that predicts the noise says nothing about the "
            "image: it would be divided by 0. Use the prediction v, flow or image, or leave out the zero terminal SNR."
        )


def _edm_factors(alpha: Any, sigma: Any, sigma_data: float) -> tuple[Any, Any]:
    """c_skip and c_out (Karras et al. 2022, table 1), for any alpha: F has variance 1 if the images have
    `sigma_data`²."""
    variance = alpha * alpha * sigma_data**2 + sigma * sigma
    return alpha * sigma_data**2 / variance, sigma * sigma_data * variance**-0.5
