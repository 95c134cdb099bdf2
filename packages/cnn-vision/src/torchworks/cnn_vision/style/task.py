"""Training of style transfer: perceptual losses of one style (Johnson et al.) and of any style (Huang & Belongie).

Shape letters: N images, H × W pixels, S pixels along a side.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.cnn_vision.data.photos import TEST, open_image, photograph
from torchworks.cnn_vision.models.adain import AdaINNet
from torchworks.cnn_vision.models.fast_style import TransformNet
from torchworks.cnn_vision.models.perceptual import (
    coarse_loss,
    content_loss,
    gram_loss,
    grams,
    statistics_loss,
    total_variation,
)
from torchworks.cnn_vision.models.vgg_features import FeatureNet
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adam

SHOWN = 192
"""Pixels of the shorter side of previewed photographs."""
SHOWN_STYLES = ("ihc", "gravel", "hubble_deep_field")


class StyleTransfer(Task):
    """Trains one net by content loss + `style_weight` · style loss + `smoothness` · total variation.

    Scores: `content_loss` and `style_loss`, relative distances, and `total_loss`, their weighted sum.
    """

    watch, watch_mode = None, "min"
    model: nn.Module

    def __init__(self, *, lr: float, style_weight: float, smoothness: float):
        self.lr, self.style_weight, self.smoothness = lr, style_weight, smoothness

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adam([parameter for parameter in self.model.parameters() if parameter.requires_grad], self.lr)

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Content loss, style loss and total variation of each image, (N,) each."""
        raise NotImplementedError

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        content, style, variation = (value.mean() for value in self.losses(batch))
        total = content + self.style_weight * style + self.smoothness * variation
        return Out(total, logs={"content": content, "style": style})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        content, style, _ = self.losses(batch)
        total = content + self.style_weight * style
        scores = {"content_loss": content, "style_loss": style, "total_loss": total}
        return {name: (value.sum(), len(value)) for name, value in scores.items()}


class FastStyle(StyleTransfer):
    """Trains `model` for the style of the image `style` (1, 3, H, W) in [0, 1], on fields `image`."""

    model: TransformNet

    def __init__(self, model: TransformNet, features: FeatureNet, style: Tensor, **options: float):
        super().__init__(**options)
        self.model, self.features = model, features
        with torch.no_grad():
            self.grams = grams(features(style))

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        painted = self.model(batch["image"]).float()
        return *self.distances(painted, batch["image"]), total_variation(painted)

    def distances(self, painted: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Content loss, against the photographs in the style's colors, and style loss, (N,) each."""
        maps = self.features(painted)
        with torch.no_grad():
            wanted = list(self.features(images).values())[-1]
        content = content_loss(list(maps.values())[-1], wanted) + coarse_loss(painted, self.model.start(images))
        return content, gram_loss(maps, self.grams)

    @torch.no_grad()
    def preview(self) -> dict[str, Tensor]:
        device = next(self.model.parameters()).device
        photos = [photograph(name, SHOWN)[None].to(device) / 255 for name in TEST]
        rows = torch.cat([torch.cat([photo, self.model(photo).float()]) for photo in photos])
        return {"painted": picture_grid(rows, 2)}


class AnyStyle(StyleTransfer):
    """Trains the decoder of `model` on fields `content_image` and `style_image`."""

    model: AdaINNet

    def __init__(self, model: AdaINNet, **options: float):
        super().__init__(**options)
        self.model = model

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Eq. (12), eq. (13) and total variation, (N,) each."""
        with torch.no_grad():
            target = self.model.target(batch["content_image"], batch["style_image"])
            start = self.model.start(batch["content_image"], batch["style_image"])
            wanted = self.model.encoder(batch["style_image"])
        image = self.model.decode(target, start)
        maps = self.model.encoder(image)
        content = content_loss(list(maps.values())[-1].float(), target) + coarse_loss(image, start)
        return content, statistics_loss(maps, wanted), total_variation(image)

    @torch.no_grad()
    def preview(self) -> dict[str, Tensor]:
        device = next(self.model.parameters()).device
        styles = [_square(open_image(name, SHOWN), SHOWN).to(device) for name in SHOWN_STYLES]
        rows = []
        for photo in (_square(photograph(name, SHOWN), SHOWN).to(device) for name in TEST):
            rows += [photo, *(self.model(photo, style) for style in styles)]
        return {"painted": picture_grid(torch.cat([torch.zeros_like(rows[0]), *styles, *rows]), 1 + len(styles))}


def _square(image: Tensor, size: int) -> Tensor:
    """The upper left of an image uint8 (3, H, W), (1, 3, S, S) in [0, 1]."""
    return image[None, :, :size, :size].float() / 255
