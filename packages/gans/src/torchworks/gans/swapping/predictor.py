"""A trained face swap as it is used: images to marked images of the other person.

The builder rebuilds the predictor from the configuration in `model.json`; it is an entry point in the group
`torchworks.builders`. The marks are a part of `forward`, so that exported models and services make them too.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.gans.models.pixels import unit_image
from torchworks.gans.models.shared_encoder_autoencoder import SharedEncoderAutoencoder
from torchworks.gans.models.swapping_config import FaceSwapNet
from torchworks.gans.swapping.marks import Marks
from torchworks.gans.wrong_run import wrong_run
from torchworks.shared.config import from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.runs.opening import CHUNK, FinishedRun, open_run

PERSONS = ("A", "B")


class FaceSwapPredictor(Predictor):
    """image (N, 3, S, S), uint8, and the number of the person (N,) → image (N, 3, S, S) in [0, 1], marked."""

    net: SharedEncoderAutoencoder

    def __init__(self, net: SharedEncoderAutoencoder, signature: Signature, payload: int):
        super().__init__(net, signature)
        self.payload = payload
        self.marks = Marks(net.image_size, payload)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.marks(self.unmarked(*inputs))

    def unmarked(self, *inputs: Tensor) -> Tensor:
        """The same without marks, for the training of detectors."""
        images, person = inputs
        return self.net.swap(images.float() / 255, person).float().clamp(0, 1)


def swapper_config(net: FaceSwapNet, image_size: int) -> dict[str, Any]:
    """What `build_swapper` needs, as plain data; the payload of the marks is added after training."""
    return {"image_size": image_size, "net": asdict(net), "payload": 0}


def build_swapper(config: dict[str, Any]) -> FaceSwapPredictor:
    """The predictor of a face swap; builder "gans-face-swap"."""
    size, net = config["image_size"], from_dict(FaceSwapNet, config["net"])
    image = TensorSpec("image", "image", "uint8", ("N", 3, size, size))
    to = TensorSpec("person", "label", "int64", ("N",), low=0, high=1, labels=PERSONS, default=1)
    signature = Signature((image, to), (unit_image(3, size),))
    autoencoder = SharedEncoderAutoencoder(size, width=net.width, latent_dim=net.latent_dim)
    return FaceSwapPredictor(autoencoder, signature, config["payload"])


class Swapper:
    """A finished face swap for images uint8 (N, 3, S, S)."""

    def __init__(self, run: FinishedRun, predictor: FaceSwapPredictor):
        self.run, self.predictor, self.image_size = run, predictor, predictor.net.image_size

    def swap(self, images: Tensor, to: str) -> Tensor:
        """The images as person "A" or "B", marked, uint8 (N, 3, S, S)."""
        person = torch.full((len(images),), PERSONS.index(to))
        return (self.run.compute(images, person) * 255).round().to(torch.uint8)

    @torch.no_grad()
    def unmarked(self, images: Tensor, to: int) -> Tensor:
        """The images as person 0 (A) or 1 (B) without marks, uint8 (N, 3, S, S): for the training of detectors."""
        parts = []
        for rows in images.split(CHUNK):
            made = self.predictor.unmarked(*(x.to(self.run.device) for x in (rows, torch.full((len(rows),), to))))
            parts.append((made * 255).round().to(torch.uint8).cpu())
        return torch.cat(parts)


def open_swapper(folder: Path, device: str = "auto") -> Swapper:
    """Raises `UserError` unless `folder` is a finished run of a face swap."""
    run = open_run(folder, "gans", device)
    if not isinstance(run.predictor, FaceSwapPredictor):
        raise wrong_run(run, "swaps no faces", "the recipe face-swap")
    return Swapper(run, run.predictor)
