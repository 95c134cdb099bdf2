"""Style transfer by a net for one style: what optimisation finds in minutes, in one pass.

Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (arXiv:1603.08155).
Ulyanov, Vedaldi & Lempitsky 2016, "Instance Normalization" (arXiv:1607.08022).

The idea: train a net f so that f(x) minimises, for photographs x in general, what Gatys et al. minimise for one:

    W* = argmin_W E_x [ λ_c content(f(x), x) + λ_s style(f(x), style image) + λ_TV TV(f(x)) ]         eq. (1), section 3

    image → conv 9×9 → 2 × [conv 3×3, stride 2] → residual blocks → 2 × [enlarge ×2 → conv 3×3] → conv 9×9 → image

What differs from the paper: instance norm instead of batch norm, which Ulyanov et al. found better; enlarging by
repeated pixels instead of strided transposed convolutions, which leave checkerboards; each photograph is given the mean
and the spread of the style's colours, and the net gives the change of its logits and starts with none, so that neither
content nor colours need be learnt; the distances of `losses.py`; half the paper's channels and three residual blocks
instead of five, for two CPU cores.

Shape letters: N images, H × W pixels, F channels.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.cnn_vision.classification.build import open_loaders
from torchworks.cnn_vision.data.paintings import TEST, held_out_squares, open_picture, photograph
from torchworks.cnn_vision.style.config import FastConfig, check_style
from torchworks.cnn_vision.style.features import FeatureNet, open_features
from torchworks.cnn_vision.style.losses import (
    LAYERS,
    coarse_loss,
    content_loss,
    gram_loss,
    grams,
    recoloured,
    statistics,
    total_variation,
    with_statistics,
)
from torchworks.shared.data import open_source
from torchworks.shared.machine.device import choose
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec, save_model
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out, Task
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.optim import adam

UNIT = (0.0,), (1.0,)
SHOWN = 192
"""Pixels of the shorter side of photographs that are painted while training."""


class Painter(nn.Module):
    """Images (N, 3, H, W) in [0, 1] → images of the same size in [0, 1].

    `mean` and `spread` (1, 3, 1, 1) are those of the style's colours.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, width: int = 16, blocks: int = 3):
        super().__init__()
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5))
        self.register_buffer("spread", torch.full((1, 3, 1, 1), 0.25))
        layers: list[nn.Module] = [*_convolution(3, width, 9), nn.ReLU()]
        layers += [*_convolution(width, 2 * width, 3, stride=2), nn.ReLU()]
        layers += [*_convolution(2 * width, 4 * width, 3, stride=2), nn.ReLU()]
        layers += [Residual(4 * width) for _ in range(blocks)]
        layers += [nn.Upsample(scale_factor=2), *_convolution(4 * width, 2 * width, 3), nn.ReLU()]
        layers += [nn.Upsample(scale_factor=2), *_convolution(2 * width, width, 3), nn.ReLU()]
        last = nn.Conv2d(width, 3, 9, padding=4, padding_mode="reflect")
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, images: Tensor) -> Tensor:
        images = self.start(images)
        change = self.layers(2 * images - 1)
        change = change[..., : images.shape[2], : images.shape[3]]  # sides that are no multiple of 4 came out larger
        return (images.logit() + change).sigmoid()

    def start(self, images: Tensor) -> Tensor:
        """The images in the style's colours, which the net changes."""
        return with_statistics(images, self.mean, self.spread).clamp(0.02, 0.98)


class Residual(nn.Module):
    """Two convolutions beside the way straight through."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, channels, 3), nn.ReLU(), *_convolution(channels, channels, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _convolution(before: int, after: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    padding = kernel // 2
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=padding, padding_mode="reflect")
    return [convolution, nn.InstanceNorm2d(after, affine=True)]


class FastStyle(Task):
    """Trains `model` to paint in the style of `style` (1, 3, H, W) in [0, 1].

    Scores: `content_loss` and `style_loss`, relative distances, and `total_loss`, their weighted sum.
    """

    watch, watch_mode = None, "min"

    def __init__(
        self, model: Painter, features: FeatureNet, style: Tensor, *, lr: float, style_weight: float, smoothness: float
    ):
        self.model, self.features, self.lr = model, features, lr
        self.style_weight, self.smoothness = style_weight, smoothness
        with torch.no_grad():
            self.grams = grams(features(style))

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.model.parameters(), self.lr)

    def distances(self, painted: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """In content, which is that of the photograph in the style's colours, and in style, (N,) each."""
        maps = self.features(painted)
        with torch.no_grad():
            wanted = list(self.features(images).values())[-1]
        content = content_loss(list(maps.values())[-1], wanted) + coarse_loss(painted, self.model.start(images))
        return content, gram_loss(maps, self.grams)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        painted = self.model(batch["image"]).float()
        content, style = (value.mean() for value in self.distances(painted, batch["image"]))
        rough = total_variation(painted).mean()
        return Out(
            content + self.style_weight * style + self.smoothness * rough, logs={"content": content, "style": style}
        )

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        content, style = self.distances(self.model(batch["image"]).float(), batch["image"])
        total = content + self.style_weight * style
        scores = {"content_loss": content, "style_loss": style, "total_loss": total}
        return {name: (value.sum(), len(value)) for name, value in scores.items()}

    @torch.no_grad()
    def preview(self) -> dict[str, Tensor]:
        device = next(self.model.parameters()).device
        photos = [photograph(name, SHOWN)[None].to(device) / 255 for name in TEST]
        rows = torch.cat([torch.cat([photo, self.model(photo).float()]) for photo in photos])
        return {"painted": picture_grid(rows, 2)}


def fast_experiment(config: FastConfig) -> Experiment:
    """One style, photographs to learn on and others to be judged by."""
    check_style(config)
    source = open_source(config.data, config.loader)
    source.need("image")
    settings = config.trainer
    device = choose(settings.device, settings.precision, settings.channels_last)
    style = open_picture(config.style, config.style_size)[None].to(device.device) / 255
    features = open_features(config.features, LAYERS, config.loader.root).to(device.device)
    net = Painter(config.width, config.blocks)
    net.mean, net.spread = statistics(style)
    task = FastStyle(
        net, features, style, lr=config.optim.lr, style_weight=config.style_weight, smoothness=config.smoothness
    )
    train, select, test = open_loaders(config, device, source.train, (source.test, source.test), [], *UNIT)
    plain = {"width": config.width, "blocks": config.blocks, "size": config.size}

    def package_model(folder: Path) -> None:
        predictor = build_painter(plain)
        predictor.net = net
        save_model(
            folder, predictor, package=config.package, recipe=config.recipe, builder="cnn-vision-style-fast",
            config=plain, golden={"image": held_out_squares(config.size)}, tolerance=1e-3,
            preprocessing={"image": {"size": config.size, "mode": "RGB", "range": [0, 255]}},
        )  # fmt: skip

    @torch.no_grad()
    def baselines() -> dict[str, float]:
        """The photographs as they are, and with the colours of the style."""
        images = source.test.tensors["image"][:64].to(device.device) / 255
        (_, unchanged), (content, coloured) = (task.distances(x, images) for x in (images, recoloured(images, style)))
        return {
            "style_loss_unchanged": float(unchanged.mean()),
            "style_loss_colours": float(coloured.mean()),
            "content_loss_colours": float(content.mean()),
            "total_loss_unchanged": config.style_weight * float(unchanged.mean()),
            "total_loss_colours": float((content + config.style_weight * coloured).mean()),
        }

    return Experiment(task, train, select, test, (source,), package_model, baselines)


class PainterPredictor(Predictor):
    """image (N, 3, S, S), uint8 → painted (N, 3, S, S) in [0, 1]."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(inputs[0].float() / 255).float()


def build_painter(config: dict[str, Any]) -> PainterPredictor:
    """With new weights; builder "cnn-vision-style-fast"."""
    size = config["size"]
    image = TensorSpec("image", "image", "uint8", ("N", 3, size, size))
    painted = TensorSpec("painted", "image", "float32", ("N", 3, size, size), low=0.0, high=1.0)
    return PainterPredictor(Painter(config["width"], config["blocks"]), Signature((image,), (painted,)))
