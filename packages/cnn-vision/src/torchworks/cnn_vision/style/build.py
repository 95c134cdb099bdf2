"""Builders of the experiments of style transfer: the feature net, a net for one style, a net for any style."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.classification.task import Classification
from torchworks.cnn_vision.data.loading import open_loaders
from torchworks.cnn_vision.data.photos import held_out_squares, open_image
from torchworks.cnn_vision.models.adain import AdaINNet
from torchworks.cnn_vision.models.fast_style import TransformNet
from torchworks.cnn_vision.models.perceptual import LAYERS, statistics
from torchworks.cnn_vision.models.vgg_features import SmallVGG
from torchworks.cnn_vision.style.baselines import of_any_style, of_one_style
from torchworks.cnn_vision.style.config import AdainConfig, FastConfig, FeaturesConfig, StyleConfig
from torchworks.cnn_vision.style.features import architecture_of, open_features
from torchworks.cnn_vision.style.pretext import cells, recolor
from torchworks.cnn_vision.style.task import AnyStyle, FastStyle
from torchworks.shared.config import Config
from torchworks.shared.data import Dataset, Source, ZipLoader, flip, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

UNIT = (0.0,), (1.0,)
"""Mean and standard deviation that leave pixels in [0, 1]."""
COMPARED = 64
"""Test images that baselines are computed on."""
TOLERANCE = 1e-3
"""Of the golden examples: many layers without normalization enlarge rounding errors."""


def build_features(config: FeaturesConfig, device: Device) -> Experiment:
    """A small VGG that classifies the cells of photographs; its convolutional part is saved."""
    source = cells(config.loader.image_size, config.seed)
    classes = source.schema["label"].classes
    net = SmallVGG(len(classes))
    task = Classification(net, len(classes), lr=config.optim.lr, weight_decay=0.01)
    task.watch = None
    train, select, test = open_loaders(
        config, device, source.train, (source.test, source.test), [flip(), recolor()]
    )  # fmt: skip
    model = FusedModel(
        builder="cnn-vision-features",
        config={"image_size": config.loader.image_size},
        net=net,
        golden={"image": _first(source.test, 2)},
    )
    return Experiment(
        task, train, select, test, (source,), (model,), baselines=lambda: {"accuracy_baseline": 1 / len(classes)}
    )


@dataclass(kw_only=True)
class FusedModel(TrainedModel):
    """A trained `SmallVGG`, saved as its convolutional part with batch norm fused into the convolutions."""

    def save(self, folder: Path, config: Config, sources: tuple[Source, ...]) -> None:
        assert isinstance(self.net, SmallVGG)
        fused = TrainedModel(
            builder=self.builder, config=self.config, net=self.net.cpu().float().plain(), golden=self.golden
        )
        fused.save(folder, config, sources)


def build_fast(config: FastConfig, device: Device) -> Experiment:
    """A net for one style, scored on photographs that it was not trained on."""
    source = open_source(config.data, config.loader)
    source.need("image")
    style = open_image(config.style, config.style_size)[None].to(device.device) / 255
    features = open_features(config.features, LAYERS, config.loader.root).to(device.device)
    net = TransformNet(config.width, config.blocks)
    net.mean, net.spread = statistics(style)
    task = FastStyle(net, features, style, **_weights(config))
    train, select, test = open_loaders(config, device, source.train, (source.test, source.test), [], *UNIT)
    model = TrainedModel(
        builder="cnn-vision-style-fast",
        config={"width": config.width, "blocks": config.blocks, "size": config.size},
        net=net,
        golden={"image": held_out_squares(config.size)},
        tolerance=TOLERANCE,
    )

    def baselines() -> dict[str, float]:
        images = _first(source.test, COMPARED).to(device.device) / 255
        return of_one_style(task, images, style)

    return Experiment(task, train, select, test, (source,), (model,), baselines)


def build_adain(config: AdainConfig, device: Device) -> Experiment:
    """A net for any style, scored on photographs and styles that it was not trained on."""
    photos, styles = open_source(config.data, config.loader), open_source(config.styles, config.loader)
    for source in (photos, styles):
        source.need("image")
    net = AdaINNet(open_features(config.features, LAYERS, config.loader.root))
    task = AnyStyle(net, **_weights(config))
    contents, others = (
        open_loaders(config, device, source.train, (source.test,), [], *UNIT) for source in (photos, styles)
    )
    train, test = (ZipLoader(content=a, style=b) for a, b in zip(contents, others, strict=True))
    squares = held_out_squares(config.size)
    model = TrainedModel(
        builder="cnn-vision-style-adain",
        config={"architecture": architecture_of(config.features), "size": config.size},
        net=net,
        golden={"content": squares, "style": squares.flip(0)},
        tolerance=TOLERANCE,
    )

    def baselines() -> dict[str, float]:
        batch = next(iter(test))
        return of_any_style(net.encoder, batch["content_image"], batch["style_image"])

    return Experiment(task, train, test, test, (photos, styles), (model,), baselines)


def _first(dataset: Dataset, count: int) -> Tensor:
    """The first images of a data set, uint8 (N, 3, S, S)."""
    return torch.stack([dataset[i]["image"] for i in range(min(count, len(dataset)))])


def _weights(config: StyleConfig) -> dict[str, float]:
    return {"lr": config.optim.lr, "style_weight": config.style_weight, "smoothness": config.smoothness}
