"""Any architecture by its name, with new or pretrained weights.

    create_model("resnet50", num_classes=10)                             new weights
    create_model("resnet50", num_classes=10, pretrained=True)            torchvision's weights, a new classifier
    create_model("resnet50", pretrained="runs/cnn-vision/mine/001")      weights from a file or a run
    create_model("timm:resnet50d", pretrained=True)                      any net of timm, behind the same interface

Imports no torch before a net is built.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchworks.cnn_vision.models.registry import TIMM, find_builder, refuse_unknown_options

if TYPE_CHECKING:
    from torchworks.cnn_vision.models.backbone import Backbone


def create_model(
    name: str,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    small_images: bool = False,
    pretrained: bool | str | Path = False,
    **options: Any,
) -> "Backbone":
    """The net `name` of `list_models()`, or `timm:NAME`; `options` are those of its class.

    `pretrained=True` fetches the published weights (torchvision's, timm's for `timm:`), unless they were fetched
    before; a path reads a file of weights, or the `model.safetensors` of a run's directory. Both are fitted to
    `num_classes` and `in_channels` as `pretrained.py` says. Raises `UserError` for an unknown name or option, weights
    that cannot be fetched or read, and weights of another architecture.
    """
    if name.startswith(TIMM):
        from torchworks.cnn_vision.models.timm_model import create_timm_model

        return create_timm_model(
            name.removeprefix(TIMM),
            num_classes=num_classes,
            in_channels=in_channels,
            small_images=small_images,
            pretrained=pretrained,
            **options,
        )
    refuse_unknown_options(name, options)
    build = partial(find_builder(name), small_images=small_images, **options)
    net = build(num_classes=num_classes, in_channels=in_channels)
    if pretrained:
        from torchworks.cnn_vision.models.pretrained import load_pretrained

        load_pretrained(net, name, pretrained, build)
    return net
