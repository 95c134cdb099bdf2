"""Predictors of autoencoders: images in bytes to their reconstructions and codes, or codes to images.

Shape letters: N images, C channels, S pixels, D numbers of a code.
"""

from typing import Any

from torch import Tensor

from torchworks.cnn_vision.models.autoencoder import Autoencoder
from torchworks.cnn_vision.models.vae import VAE
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec


class AutoencoderPredictor(Predictor):
    """image (N, C, S, S), uint8 → restored (N, C, S, S) in [0, 1] and code (N, D)."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        restored, code = self.net(inputs[0].float() / 255)
        return restored.float(), code.float()


class VAEPredictor(Predictor):
    """image (N, C, S, S), uint8 → restored (N, C, S, S) in [0, 1], from the mean code, and that code (N, D)."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        net = self.net
        assert isinstance(net, VAE)
        mean, _ = net.encode(inputs[0].float() / 255)
        return net.decoder(mean).float().sigmoid(), mean


class SamplerPredictor(Predictor):
    """latent (N, D), normally distributed → image (N, C, S, S) in [0, 1]."""

    def forward(self, *inputs: Tensor) -> Tensor:
        net = self.net
        assert isinstance(net, VAE)
        return net.decoder(inputs[0]).float().sigmoid()


def plain_config(image_size: int, channels: int, code: int, width: int) -> dict[str, int]:
    """Options of the net, from which the builders rebuild it."""
    return {"image_size": image_size, "channels": channels, "code": code, "width": width}


def build_autoencoder(config: dict[str, Any]) -> AutoencoderPredictor:
    """With new weights; builder "cnn-vision-autoencoder"."""
    return AutoencoderPredictor(Autoencoder(**config), _restoring(config))


def build_vae(config: dict[str, Any]) -> VAEPredictor:
    """With new weights; builder "cnn-vision-vae"."""
    return VAEPredictor(VAE(**config), _restoring(config))


def build_sampler(config: dict[str, Any]) -> SamplerPredictor:
    """With new weights; builder "cnn-vision-vae-sampler"."""
    latent = TensorSpec("latent", "latent", "float32", ("N", config["code"]))
    return SamplerPredictor(VAE(**config), Signature((latent,), (_unit(config, "image"),)))


def _restoring(config: dict[str, Any]) -> Signature:
    size, channels = config["image_size"], config["channels"]
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    code = TensorSpec("code", "features", "float32", ("N", config["code"]))
    return Signature((image,), (_unit(config, "restored"), code))


def _unit(config: dict[str, Any], name: str) -> TensorSpec:
    size, channels = config["image_size"], config["channels"]
    return TensorSpec(name, "image", "float32", ("N", channels, size, size), low=0.0, high=1.0)
