"""Builders of the experiments of autoencoders: data, net, task, baselines, models."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.autoencoders import baselines
from torchworks.cnn_vision.autoencoders.config import AutoencoderConfig, CodeConfig, VAEConfig
from torchworks.cnn_vision.autoencoders.predictor import plain_config
from torchworks.cnn_vision.autoencoders.task import SHOWN, Autoencoding, Variational
from torchworks.cnn_vision.data.augmentations import augmentations
from torchworks.cnn_vision.data.loading import open_loaders
from torchworks.cnn_vision.models.autoencoder import Autoencoder
from torchworks.cnn_vision.models.vae import VAE
from torchworks.shared.data import Loader, Source, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

UNIT = (0.0,), (1.0,)
"""Mean and standard deviation that leave pixels in [0, 1]."""
VAE_BUILDERS = {"sampler": "cnn-vision-vae-sampler", "reconstruction": "cnn-vision-vae"}
"""Builders of the two models of a VAE's run."""


def build_autoencoder(config: AutoencoderConfig, device: Device) -> Experiment:
    """A net that restores images from their codes, or from noisy images."""
    opened = _open(config, device)
    net = Autoencoder(**opened.plain)
    task = Autoencoding(net, opened.shown, noise=config.noise, lr=config.optim.lr, weight_decay=config.weight_decay)
    task.watch = None
    train, test = opened.source.train, opened.source.test
    model = TrainedModel(
        builder="cnn-vision-autoencoder", config=opened.plain, net=net, golden={"image": opened.golden}
    )

    def compared() -> dict[str, float]:
        if config.noise:
            return baselines.of_denoiser(train, test, config.noise, config.seed)
        return baselines.of_autoencoder(train, test, config.code)

    return Experiment(task, *opened.loaders, (opened.source,), (model,), compared)


def build_vae(config: VAEConfig, device: Device) -> Experiment:
    """A net that samples images, and bounds the likelihood of test images."""
    opened = _open(config, device)
    net = VAE(**opened.plain)
    options = {"lr": config.optim.lr, "weight_decay": config.weight_decay}
    task = Variational(net, opened.shown, code=config.code, beta=config.beta, **options)
    task.watch = None
    train, test = opened.source.train, opened.source.test
    return Experiment(
        task, *opened.loaders, (opened.source,), _vae_models(config, net, opened),
        lambda: baselines.of_vae(train, test, config.code),
    )  # fmt: skip


def _vae_models(config: VAEConfig, net: nn.Module, opened: "_Opened") -> tuple[TrainedModel, ...]:
    """The sampler and the reconstruction; the one that the run does not export lies in its folder of that name."""
    golden = {
        "sampler": {"latent": torch.linspace(-2, 2, 2 * config.code).view(2, -1)},
        "reconstruction": {"image": opened.golden},
    }
    return tuple(
        TrainedModel(
            builder=builder, config=opened.plain, net=net, golden=golden[name],
            place="" if name == config.exports else name,
        )
        for name, builder in VAE_BUILDERS.items()
    )  # fmt: skip


@dataclass(frozen=True)
class _Opened:
    source: Source
    loaders: list[Loader]
    """Training images, images to select by, test images."""
    plain: dict[str, int]
    """Options of the net."""
    shown: Tensor
    """Test images in [0, 1] for previews."""

    @property
    def golden(self) -> Tensor:
        """The first two test images, uint8 (2, C, S, S)."""
        return (255 * self.shown[:2]).round().to(torch.uint8)


def _open(config: CodeConfig, device: Device) -> _Opened:
    source = open_source(config.data, config.loader)
    source.need("image")
    channels, size = source.schema["image"].shape[:2]
    augment = augmentations(config.augment, size, *UNIT)
    loaders = open_loaders(config, device, source.train, (source.test, source.test), augment, *UNIT)
    shown = torch.stack([source.test[i]["image"] for i in range(min(SHOWN, len(source.test)))]).float() / 255
    return _Opened(source, loaders, plain_config(size, channels, config.code, config.width), shown)
