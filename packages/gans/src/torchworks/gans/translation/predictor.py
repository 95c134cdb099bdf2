"""A trained translator as it is used: images to images of the other domain.

The builder rebuilds the predictor from the configuration in `model.json`; it is an entry point in the group
`torchworks.builders`.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from torchworks.gans.models import registry
from torchworks.gans.models.config import TranslatorNet
from torchworks.gans.models.pixels import from_unit, to_unit, unit_image
from torchworks.gans.translation.cyclegan import Translators
from torchworks.gans.wrong_run import wrong_run
from torchworks.shared.config import UserError, from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.runs.opening import FinishedRun, open_run


class TranslatorPredictor(Predictor):
    """image (N, C, S, S), uint8 → image (N, C', S, S) in [0, 1]. `direction` names the part of the net to use, for a
    net with several ("ab" or "ba"); it may be changed."""

    def __init__(self, net: nn.Module, signature: Signature, direction: str = ""):
        super().__init__(net, signature)
        self.direction = direction

    def forward(self, *inputs: Tensor) -> Tensor:
        net = getattr(self.net, self.direction) if self.direction else self.net
        return to_unit(net(inputs[0].float() / 127.5 - 1))


def translator_config(
    net: TranslatorNet, image_size: int, in_channels: int, out_channels: int, direction: str = ""
) -> dict[str, Any]:
    """What `build_translator` needs, as plain data."""
    return {
        "image_size": image_size,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "direction": direction,
        "net": asdict(net),
    }


def build_translator(config: dict[str, Any]) -> TranslatorPredictor:
    """The predictor of a translator, of both directions if `direction` is given; builder "gans-translator"."""
    net = from_dict(TranslatorNet, config["net"])
    size, channels, direction = (
        config["image_size"],
        (config["in_channels"], config["out_channels"]),
        config["direction"],
    )
    signature = Signature(
        (TensorSpec("image", "image", "uint8", ("N", channels[0], size, size)),),
        (unit_image(channels[1], size),),
    )
    if not direction:
        return TranslatorPredictor(registry.translator(net, *channels), signature)
    both = Translators(registry.translator(net, *channels), registry.translator(net, *channels[::-1]))
    return TranslatorPredictor(both, signature, direction)


class Translator:
    """The translator of a finished run, in one `direction`, for images uint8 (N, `in_channels`, S, S)."""

    def __init__(self, run: FinishedRun, predictor: TranslatorPredictor, direction: str):
        self.run = run
        if predictor.direction:
            predictor.direction = direction
        self.in_channels, self.image_size = (int(size) for size in predictor.signature.inputs[0].shape[1:3])

    def translate(self, images: Tensor) -> Tensor:
        """Images of the other domain, uint8 (N, C, S, S)."""
        return from_unit(self.run.compute(images))


def open_translator(folder: Path, direction: str, device: str = "auto") -> Translator:
    """Raises `UserError` unless `folder` is a finished run that translates in `direction`, "ab" or "ba"."""
    run = open_run(folder, "gans", device)
    if not isinstance(run.predictor, TranslatorPredictor):
        raise wrong_run(run, "cannot translate any", "the recipe cyclegan or pix2pix")
    if direction == "ba" and not run.predictor.direction:
        raise UserError(
            f"{folder} is a run of {run.config.recipe}, which learnt one direction only. Leave out --direction ba, or "
            "train the recipe cyclegan, which learns both."
        )
    return Translator(run, run.predictor, direction)
