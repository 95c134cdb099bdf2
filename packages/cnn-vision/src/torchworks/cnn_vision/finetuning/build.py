"""The net that a configuration names: new or with pretrained weights, the normalization of its images, and which of its
layers train."""

from torchworks.cnn_vision.config import VisionConfig
from torchworks.cnn_vision.finetuning.schedule import Finetuning
from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.cnn_vision.models.normalization import HALF, IMAGENET, each_channel, expected
from torchworks.shared.config import UserError
from torchworks.shared.machine.device import Device

SMALL = 64
"""Images below this many pixels get the stem for small images."""


def wants_small_images(config: VisionConfig) -> bool:
    """Whether the net gets the stem for small images."""
    if config.small_images == "auto":
        return config.loader.image_size < SMALL
    return config.small_images == "on"


def build_model(config: VisionConfig, channels: int, num_classes: int) -> Backbone:
    """The net, with pretrained weights if the configuration names some."""
    options = {} if config.drop_rate is None else {"drop_rate": config.drop_rate}
    return create_model(
        config.model,
        num_classes=num_classes,
        in_channels=channels,
        small_images=wants_small_images(config),
        pretrained=True if config.pretrained == "imagenet" else config.pretrained,
        **options,
    )


def normalization(config: VisionConfig, net: Backbone, channels: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, of pixels in [0, 1], by which the net's inputs are normalized."""
    if config.normalize == "half":
        return each_channel(*HALF, channels)
    if config.normalize == "imagenet":
        return each_channel(*IMAGENET, channels)
    timm = getattr(getattr(net, "model", None), "pretrained_cfg", {})
    return expected(config.pretrained, channels, (timm.get("mean", IMAGENET[0]), timm.get("std", IMAGENET[1])))


def build_finetuning(config: VisionConfig, net: Backbone, device: Device) -> Finetuning | None:
    """None if all layers train alike from the start."""
    if config.freeze == "none" and config.rate_decay == 1:
        return None
    if config.freeze == "gradual" and device.world > 1:
        raise UserError(
            "--freeze gradual works in one process: with several, gradients of all layers are exchanged from the start."
            " Use --freeze backbone, or --rate-decay, with torchrun."
        )
    return Finetuning(net, config.freeze, config.rate_decay, config.trainer.steps)
