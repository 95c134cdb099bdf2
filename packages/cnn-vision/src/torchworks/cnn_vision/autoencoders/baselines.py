"""Baselines of autoencoders: means, principal components, and filters that were not fitted to the data.

Shape letters: N images, C channels, S pixels, D numbers of a code.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, median_filter
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn import functional as F

from torchworks.cnn_vision.autoencoders.task import peak_ratio
from torchworks.shared.data import Dataset
from torchworks.shared.data.dataset import resident
from torchworks.shared.numbers.stream import StepRandom

MOST = 2000
"""Images that baselines are fitted to, and that they are scored on."""
TUNED_ON = 100
"""Training images by which the strength of a filter is chosen."""
EDGE = 1e-3
"""How near to 0 and 1 a probability may be that a baseline gives a pixel."""


def unit_images(dataset: Dataset) -> Tensor:
    """The first images of a data set in [0, 1], (N, C, S, S)."""
    return resident(dataset).tensors["image"][:MOST].float() / 255


def principal(train: Tensor, images: Tensor, code: int) -> Tensor:
    """`images` from as many principal components of `train` as a code has numbers; clipped to [0, 1]."""
    pca = PCA(min(code, len(train) - 1, train[0].numel()), random_state=0).fit(train.flatten(1).numpy())
    restored = pca.inverse_transform(pca.transform(images.flatten(1).numpy()))
    return torch.from_numpy(restored.astype(np.float32)).view_as(images).clamp(0, 1)


def of_autoencoder(train: Dataset, test: Dataset, code: int) -> dict[str, float]:
    """`psnr_pca` with a code of the same size, and `psnr_mean` of always the mean image."""
    known, images = unit_images(train), unit_images(test)
    return {
        "psnr_pca": float(peak_ratio(principal(known, images, code), images).mean()),
        "psnr_mean": float(peak_ratio(known.mean(0).expand_as(images), images).mean()),
    }


Filter = Callable[[np.ndarray, float], np.ndarray]
FILTERS: dict[str, tuple[Filter, tuple[float, ...]]] = {
    "gaussian": (lambda image, sigma: gaussian_filter(image, (0, sigma, sigma)), (0.3, 0.5, 0.7, 0.9, 1.2, 1.6)),
    "median": (lambda image, size: median_filter(image, (1, int(size), int(size))), (2, 3, 4, 5)),
    "nl_means": (
        lambda image, h: np.stack([denoise_nl_means(channel, 3, 5, h=h, fast_mode=True) for channel in image]),
        (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
    ),
    "tv": (lambda image, weight: denoise_tv_chambolle(image, weight, channel_axis=0), (0.05, 0.1, 0.2, 0.3, 0.5)),
}
"""Filters, with the strengths that are tried; the best on noisy training images is taken."""


def of_denoiser(train: Dataset, test: Dataset, noise: float, seed: int) -> dict[str, float]:
    """PSNR of each filter: Gaussian, median, non-local means (Buades et al. 2005), total variation (Chambolle 2004);
    and of as many principal components as suit best."""
    known, clean = unit_images(train), unit_images(test)
    random = StepRandom(seed).at("baseline")
    noisy, tuning = (
        (images + noise * random.normal(*images.shape)).clamp(0, 1) for images in (clean, known[:TUNED_ON])
    )
    found = {"psnr_noisy": float(peak_ratio(noisy, clean).mean())}
    methods: dict[str, tuple[Callable[[Tensor, float], Tensor], tuple[float, ...]]] = {
        name: (lambda images, strength, f=f: _filtered(f, images, strength), strengths)
        for name, (f, strengths) in FILTERS.items()
    }
    sizes = tuple(size for size in (8, 16, 24, 32, 48, 64) if size < min(len(known), known[0].numel()))
    methods["pca"] = (lambda images, size: principal(known, images, int(size)), sizes)
    for name, (method, strengths) in methods.items():
        tried = {s: float(peak_ratio(method(tuning, s), known[:TUNED_ON]).mean()) for s in strengths}
        best = max(tried, key=lambda strength: tried[strength])
        found[f"psnr_{name}"] = float(peak_ratio(method(noisy, best), clean).mean())
    return found


def _filtered(method: Filter, images: Tensor, strength: float) -> Tensor:
    restored = [method(image.numpy(), strength) for image in images]
    return torch.from_numpy(np.stack(restored).astype(np.float32)).clamp(0, 1)


def of_vae(train: Dataset, test: Dataset, code: int) -> dict[str, float]:
    """`elbo_mean`: log-likelihood in nats of pixels that are independent of each other, with the means of the training
    images; `log_likelihood_pca` of what comes back from principal components, as many as the code has numbers, which
    pay nothing for their code; `log_likelihood_limit` if every pixel were known; and `psnr_pca`."""
    known, images = unit_images(train), unit_images(test)
    components = principal(known, images, code)
    return {
        "elbo_mean": _nats(known.mean(0).expand_as(images), images),
        "log_likelihood_pca": _nats(components, images),
        "log_likelihood_limit": _nats(images, images),
        "psnr_pca": float(peak_ratio(components, images).mean()),
    }


def _nats(probability: Tensor, images: Tensor) -> float:
    losses = F.binary_cross_entropy(probability.clamp(EDGE, 1 - EDGE), images, reduction="none")
    return -float(losses.flatten(1).sum(1).mean())
