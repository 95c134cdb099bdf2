"""Style transfer by a net for any style: give the photograph's maps the statistics of the painting's, and draw the
result.

Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization" (arXiv:1703.06868).

The idea: style is in the mean and the spread of each channel. An encoder f (a trained VGG, fixed) maps content c and
style s; AdaIN moves the statistics over; a decoder g, all that is trained, turns maps into an image.

    AdaIN(x, y) = σ(y) (x − μ(x)) / σ(x) + μ(y)                                                        eq. (8)
    t = AdaIN(f(c), f(s)),  T(c, s) = g(t)                                                             eq. (9), (10)
    L = L_c + λ L_s                                                                                     eq. (11)
    L_c = ‖f(g(t)) − t‖²,  L_s = Σ_i ‖μ(φ_i(g(t))) − μ(φ_i(s))‖² + ‖σ(φ_i(g(t))) − σ(φ_i(s))‖²         eq. (12), (13)
    T(c, s, α) = g((1 − α) f(c) + α t)                                                                 eq. (14)

The decoder mirrors the encoder, without any norm: that would make the statistics all alike again (section 6.1).

What differs from the paper: the decoder does not draw the image but the change of the photograph's logits, after that
was given the style's colours (AdaIN of pixels), and starts with none: a decoder on its own needs far more photographs
and steps than a CPU has; coarse colours are held to those (`coarse_loss`); the relative distances of `losses.py`;
without ImageNet's VGG-19, the small feature net, and bundled photographs and textures, recoloured at random, instead of
MS COCO and 80,000 paintings.

Shape letters: N images, H × W pixels, C channels, h × w a map.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.cnn_vision.classification.build import open_loaders
from torchworks.cnn_vision.data.paintings import TEST, held_out_squares, open_picture, photograph
from torchworks.cnn_vision.style.config import AdainConfig, check_style
from torchworks.cnn_vision.style.fast import UNIT
from torchworks.cnn_vision.style.features import FeatureNet, architecture_of, build_features, open_features
from torchworks.cnn_vision.style.losses import (
    LAYERS,
    coarse_loss,
    content_loss,
    recoloured,
    statistics,
    statistics_loss,
    total_variation,
    with_statistics,
)
from torchworks.shared.data import Together, open_source
from torchworks.shared.machine.device import choose
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec, save_model
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out, Task
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.optim import adam

SHOWN, SHOWN_STYLES = 192, ("ihc", "gravel", "hubble_deep_field")


def adain(content: Tensor, style: Tensor) -> Tensor:
    """Eq. (8): maps (N, C, h, w) with the mean and the standard deviation of each channel of `style` (N, C, h', w')."""
    return with_statistics(content, *statistics(style))


class Stylist(nn.Module):
    """Content (N, 3, H, W) and style (N, 3, H', W') in [0, 1] → image (N, 3, H, W) in [0, 1], for sides that are
    multiples of 8. The encoder is never trained."""

    def __init__(self, encoder: FeatureNet):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder(list(encoder.channels.values()))

    def forward(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        start = self.start(content, style, alpha)
        return self.decode(self.target(content, style, alpha), start)

    def start(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """The content in the style's colours, as far as `alpha` says."""
        return torch.lerp(content, recoloured(content, style), alpha).clamp(0.02, 0.98)

    def target(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """What is decoded, eq. (9) and (14): (N, C, H / 8, W / 8)."""
        known, wanted = (list(self.encoder(images).values())[-1].float() for images in (content, style))
        return (1 - alpha) * known + alpha * adain(known, wanted)

    def decode(self, maps: Tensor, start: Tensor) -> Tensor:
        return (start.logit() + self.decoder(maps).float()).sigmoid()


def decoder(channels: list[int]) -> nn.Sequential:
    """The encoder's stages backwards; `channels` are those of its maps, fine to coarse."""
    layers: list[nn.Module] = []
    before = channels[-1]
    for after in reversed(channels[:-1]):
        layers += [*_convolution(before, after), nn.Upsample(scale_factor=2), *_convolution(after, after)]
        before = after
    last = nn.Conv2d(before, 3, 3, padding=1, padding_mode="reflect")
    nn.init.zeros_(last.weight)
    return nn.Sequential(*layers, last)


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1, padding_mode="reflect"), nn.ReLU()]


class AnyStyle(Task):
    """Trains the decoder of `model` on fields `content_image` and `style_image`.

    Scores: `content_loss`, how well the decoder hits the maps that it was given; `style_loss`; `total_loss`, their
    weighted sum.
    """

    watch, watch_mode = None, "min"

    def __init__(self, model: Stylist, *, lr: float, style_weight: float, smoothness: float):
        self.model, self.lr = model, lr
        self.style_weight, self.smoothness = style_weight, smoothness

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adam([parameter for parameter in self.model.parameters() if parameter.requires_grad], self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        content, style, rough = (value.mean() for value in self.distances(batch))
        total = content + self.style_weight * style + self.smoothness * rough
        return Out(total, logs={"content": content, "style": style})

    def distances(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Eq. (12), eq. (13) and the roughness, (N,) each."""
        with torch.no_grad():
            target = self.model.target(batch["content_image"], batch["style_image"])
            start = self.model.start(batch["content_image"], batch["style_image"])
            wanted = self.model.encoder(batch["style_image"])
        image = self.model.decode(target, start)
        maps = self.model.encoder(image)
        content = content_loss(list(maps.values())[-1].float(), target) + coarse_loss(image, start)
        return content, statistics_loss(maps, wanted), total_variation(image)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        content, style, _ = self.distances(batch)
        total = content + self.style_weight * style
        scores = {"content_loss": content, "style_loss": style, "total_loss": total}
        return {name: (value.sum(), len(value)) for name, value in scores.items()}

    @torch.no_grad()
    def preview(self) -> dict[str, Tensor]:
        device = next(self.model.parameters()).device
        styles = [_square(open_picture(name, SHOWN), SHOWN).to(device) for name in SHOWN_STYLES]
        rows = []
        for photo in (_square(photograph(name, SHOWN), SHOWN).to(device) for name in TEST):
            rows += [photo, *(self.model(photo, style) for style in styles)]
        return {"painted": picture_grid(torch.cat([torch.zeros_like(rows[0]), *styles, *rows]), 1 + len(styles))}


def _square(image: Tensor, size: int) -> Tensor:
    """The upper left of an image uint8 (3, H, W), (1, 3, S, S) in [0, 1]."""
    return image[None, :, :size, :size].float() / 255


def adain_experiment(config: AdainConfig) -> Experiment:
    """Photographs and styles to learn on, and others to be judged by."""
    check_style(config)
    photos, styles = open_source(config.data, config.loader), open_source(config.styles, config.loader)
    for source in (photos, styles):
        source.need("image")
    settings = config.trainer
    device = choose(settings.device, settings.precision, settings.channels_last)
    architecture = architecture_of(config.features)
    encoder = open_features(config.features, LAYERS, config.loader.root)
    net = Stylist(encoder)
    task = AnyStyle(net, lr=config.optim.lr, style_weight=config.style_weight, smoothness=config.smoothness)
    contents, others = (
        open_loaders(config, device, source.train, (source.test,), [], *UNIT) for source in (photos, styles)
    )
    train, test = (Together(content=a, style=b) for a, b in zip(contents, others, strict=True))
    plain = {"architecture": architecture, "size": config.size}

    def package_model(folder: Path) -> None:
        predictor = build_stylizer(plain)
        predictor.net = net
        squares = held_out_squares(config.size)
        save_model(
            folder, predictor, package=config.package, recipe=config.recipe, builder="cnn-vision-style-adain",
            config=plain, golden={"content": squares, "style": squares.flip(0)}, tolerance=1e-3,
            preprocessing={
                name: {"size": config.size, "mode": "RGB", "range": [0, 255]} for name in ("content", "style")
            },
        )  # fmt: skip

    @torch.no_grad()
    def baselines() -> dict[str, float]:
        """The photographs as they are, and with the colours of the style."""
        batch = next(iter(test))
        images, style = batch["content_image"], batch["style_image"]
        wanted = net.encoder(style)
        losses = [statistics_loss(net.encoder(x), wanted) for x in (images, recoloured(images, style))]
        return {
            "style_loss_unchanged": float(losses[0].mean()),
            "style_loss_colours": float(losses[1].mean()),
        }

    return Experiment(task, train, test, test, (photos, styles), package_model, baselines)


class StylizerPredictor(Predictor):
    """content and style (N, 3, S, S), uint8 → painted (N, 3, S, S) in [0, 1]."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(inputs[0].float() / 255, inputs[1].float() / 255)


def build_stylizer(config: dict[str, Any]) -> StylizerPredictor:
    """With new weights; builder "cnn-vision-style-adain"."""
    size, architecture = config["size"], config["architecture"]
    inputs = tuple(TensorSpec(name, "image", "uint8", ("N", 3, size, size)) for name in ("content", "style"))
    painted = TensorSpec("painted", "image", "float32", ("N", 3, size, size), low=0.0, high=1.0)
    return StylizerPredictor(Stylist(build_features(architecture, LAYERS)), Signature(inputs, (painted,)))
