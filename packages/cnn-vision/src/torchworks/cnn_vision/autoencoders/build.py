"""From a configuration to an autoencoder's experiment: data, net, task, baselines, and how the model is packed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.autoencoders import baselines as baseline
from torchworks.cnn_vision.autoencoders import predictor
from torchworks.cnn_vision.autoencoders.config import AutoencoderConfig, CodeConfig, VAEConfig, check_numbers
from torchworks.cnn_vision.autoencoders.task import SHOWN, Autoencoding, Variational
from torchworks.cnn_vision.classification.build import augmentations, open_loaders
from torchworks.cnn_vision.models.autoencoder import Autoencoder
from torchworks.cnn_vision.models.vae import VAE
from torchworks.shared.data import Loader, Source, open_source
from torchworks.shared.machine.device import choose
from torchworks.shared.models.predictor import Predictor, save_model
from torchworks.shared.training.experiment import Experiment

UNIT = (0.0,), (1.0,)
"""Mean and spread that leave pixels in [0, 1]."""


def autoencoder_experiment(config: AutoencoderConfig) -> Experiment:
    """Reads every test image back from its code, or clean from a noisy one."""
    opened = _open(config)
    net = Autoencoder(**opened.plain)
    task = Autoencoding(net, opened.shown, noise=config.noise, lr=config.optim.lr, weight_decay=config.weight_decay)
    task.watch = None
    train, test = opened.source.train, opened.source.test

    def baselines() -> dict[str, float]:
        if config.noise:
            return baseline.of_denoiser(train, test, config.noise, config.seed)
        return baseline.of_autoencoder(train, test, config.code)

    def package_model(folder: Path) -> None:
        _save(folder, config, opened, predictor.build_autoencoder, "cnn-vision-autoencoder", net)

    return Experiment(task, *opened.loaders, (opened.source,), package_model, baselines)


def vae_experiment(config: VAEConfig) -> Experiment:
    """Draws images, and bounds the probability of every test image."""
    opened = _open(config)
    net = VAE(**opened.plain)
    options = {"lr": config.optim.lr, "weight_decay": config.weight_decay}
    task = Variational(net, opened.shown, code=config.code, beta=config.beta, **options)
    task.watch = None
    train, test = opened.source.train, opened.source.test

    def package_model(folder: Path) -> None:
        for name, (build, builder) in VAE_MODELS.items():
            place = folder if name == config.exports else folder / name
            _save(place, config, opened, build, builder, net)

    return Experiment(
        task, *opened.loaders, (opened.source,), package_model, lambda: baseline.of_vae(train, test, config.code)
    )


VAE_MODELS: dict[str, tuple[Callable[[dict[str, Any]], Predictor], str]] = {
    "sampler": (predictor.build_sampler, "cnn-vision-vae-sampler"),
    "reconstruction": (predictor.build_vae, "cnn-vision-vae"),
}
"""What a VAE's run offers, and its builders."""


@dataclass(frozen=True)
class _Opened:
    source: Source
    loaders: list[Loader]
    """Training images, images to select by, test images."""
    plain: dict[str, Any]
    shown: Tensor
    """Test images in [0, 1] for pictures."""


def _open(config: CodeConfig) -> _Opened:
    check_numbers(config)
    source = open_source(config.data, config.loader)
    channels, size = source.need("image")[0].shape[:2]
    settings = config.trainer
    device = choose(settings.device, settings.precision, settings.channels_last)
    changes = augmentations(config.augment, size, *UNIT)
    loaders = open_loaders(config, device, source.train, (source.test, source.test), changes, *UNIT)
    shown = torch.stack([source.test[i]["image"] for i in range(min(SHOWN, len(source.test)))]).float() / 255
    return _Opened(source, loaders, predictor.plain_config(size, channels, config.code, config.width), shown)


def _save(
    folder: Path,
    config: CodeConfig,
    opened: _Opened,
    build: Callable[[dict[str, Any]], Predictor],
    builder: str,
    net: nn.Module,
) -> None:
    whole = build(opened.plain)
    whole.net = net
    name = whole.signature.inputs[0].name
    size, channels = opened.plain["image_size"], opened.plain["channels"]
    golden = (255 * opened.shown[:2]).round().to(torch.uint8)
    save_model(
        folder,
        whole,
        package=config.package,
        recipe=config.recipe,
        builder=builder,
        config=opened.plain,
        golden={name: golden if name == "image" else torch.linspace(-2, 2, 2 * config.code).view(2, -1)},
        preprocessing={"image": {"size": size, "mode": "L" if channels == 1 else "RGB", "range": [0, 255]}},
    )
