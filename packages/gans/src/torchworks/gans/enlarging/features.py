"""The feature nets: one for the perceptual loss, another for the perceptual score.

Papers take VGG-19 as trained on ImageNet. Its weights do not come with these packages, so the default are features that
k-means finds in the training images (kmeans_features.py); a user who has the weights names their file. The score has a
net of its own, from another seed and of other widths: a loss would else be scored by what it was trained on.

Shape letters: N images, H × W pixels.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from torchworks.gans.enlarging.weights import give_weights
from torchworks.gans.models.kmeans_features import KMeansFeatures
from torchworks.gans.models.vgg19 import VGG19Features
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset
from torchworks.shared.numbers.seeds import mix

LOSS_WIDTHS, SCORE_WIDTHS = (32, 64, 128), (48, 96, 96)
LEARNT_FROM, SIDE = 96, 64
"""Training images that k-means sees, and pixels along a side of what it sees of each."""


def loss_features(train: Dataset, seed: int, weights: Path | None) -> nn.Module:
    """Images (N, 3, H, W) in [0, 1] to a list of maps, frozen. Raises `UserError` for a file that is no VGG-19."""
    return vgg19(weights) if weights is not None else _learnt(train, LOSS_WIDTHS, mix(seed, "loss features"))


def score_features(train: Dataset) -> nn.Module:
    """The same for the score: whatever the seed of a run is, the same for the same training images."""
    return _learnt(train, SCORE_WIDTHS, mix(0, "score features"))


def _learnt(train: Dataset, widths: tuple[int, ...], seed: int) -> nn.Module:
    count = min(len(train), LEARNT_FROM)
    rows = [train[i * len(train) // count]["image"] for i in range(count)]
    images = torch.stack(rows)[:, :, :SIDE, :SIDE].float() / 255
    with torch.random.fork_rng(devices=[]):  # or nets made after this would depend on it
        net = KMeansFeatures(widths)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums come out the same on any number of cores
    try:
        return net.fit(images, seed % 2**63)
    finally:
        torch.set_num_threads(threads)


def vgg19(file: Path) -> nn.Module:
    """With the weights in a safetensors file: those of torchvision's `vgg19`, whose classifier is not used."""
    advice = "Give a safetensors file of torchvision's vgg19, or leave out --perceptual.weights."
    try:
        found = {key: value for key, value in load_file(file).items() if key.startswith("features.")}
        net = VGG19Features()
    except FileNotFoundError:
        raise UserError(f"There is no file {file}. {advice}") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is not a safetensors file: {error}. {advice}") from error
    give_weights(net, found, f"The weights in {file} are not those of VGG-19", advice)
    return net.eval()
