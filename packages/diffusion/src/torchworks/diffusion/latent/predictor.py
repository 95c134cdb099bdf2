"""A trained latent diffusion model as it is used: noise, and perhaps a class, to an image, by way of latents."""

from typing import Any

from torch import Tensor

from torchworks.diffusion.images.predictor import DiffusionPredictor, signature_of
from torchworks.diffusion.latent.config import AutoencoderTraining
from torchworks.diffusion.latent.space import LatentModel, LatentSpace
from torchworks.diffusion.models import registry
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.shared.config import from_dict


class LatentPredictor(DiffusionPredictor):
    """latent (N, Z·s·s)[, label (N,)] → image (N, C, S, S) in [0, 1]."""

    @property
    def space(self) -> LatentSpace:
        assert isinstance(self.net, LatentModel)
        return self.net.space

    def images_of(self, drawn: Tensor) -> Tensor:
        return self.space.decode(drawn)

    def clean(self, images: Tensor) -> Tensor:
        return self.space.encode(images)


def build_latent(config: dict[str, Any]) -> LatentPredictor:
    """The predictor of a latent diffusion model; builder "diffusion-latent"."""
    settings = from_dict(AutoencoderTraining, config["autoencoder"])
    channels, size = config["image"]
    space = LatentSpace(registry.autoencoder_of(settings, channels), size)
    process, sampling = from_dict(ProcessConfig, config["process"]), from_dict(SamplingConfig, config["sampling"])
    classes = tuple(config["classes"])
    net = registry.net_of(
        from_dict(registry.ARCHITECTURES[config["architecture"]], config["net"]), space.shape[0], len(classes)
    )
    signature = signature_of(space.shape, (channels, size, size), classes)
    return LatentPredictor(LatentModel(net, space), signature, process, sampling, space.shape)
