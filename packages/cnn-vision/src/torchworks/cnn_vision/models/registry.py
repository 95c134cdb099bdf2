"""Every architecture by name: the one list of them. `create.py` builds them.

A new architecture is a module in this folder with a builder function, and a line in `FAMILIES`. Names are
torchvision's. Nothing here imports torch before a net is built, so that listing names is quick.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torchworks.shared.config import UserError, nearest

if TYPE_CHECKING:
    from torchworks.cnn_vision.models.backbone import Backbone

FAMILIES: dict[str, tuple[str, ...]] = {
    "vgg": ("vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"),
    "resnet": (
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "resnext50_32x4d",
        "resnext101_32x8d",
        "resnext101_64x4d",
        "wide_resnet50_2",
        "wide_resnet101_2",
        "resnet20",
        "resnet32",
        "resnet56",
    ),
    "densenet": ("densenet121", "densenet161", "densenet169", "densenet201"),
    "efficientnet": tuple(f"efficientnet_b{size}" for size in range(8)),
    "efficientnet_v2": ("efficientnet_v2_s",),
    "mobilenet_v2": ("mobilenet_v2",),
    "mobilenet_v3": ("mobilenet_v3_small", "mobilenet_v3_large"),
    "convnext": ("convnext_tiny",),
    "vit": ("vit_b_16",),
    "airbench": ("airbench94",),
}
"""Builders of each module of this folder."""

TIMM = "timm:"

_FAMILY = {name: family for family, names in FAMILIES.items() for name in names}

Builder = Callable[..., "Backbone"]


def list_models() -> list[str]:
    """Names that `create_model` knows by itself, family by family; `timm:NAME` comes on top."""
    return list(_FAMILY)


def find_builder(name: str) -> Builder:
    """The builder function `name`; raises `UserError` with the nearest known name."""
    return getattr(family_of(name), name)


def family_of(name: str) -> Any:
    """The module that holds the builder `name`; raises `UserError` with the nearest known name."""
    if name not in _FAMILY:
        raise UserError(
            f"There is no model '{name}'.{nearest(name, _FAMILY)} Known: {', '.join(_FAMILY)}, and {TIMM}NAME for "
            "those of timm."
        )
    return importlib.import_module(f"torchworks.cnn_vision.models.{_FAMILY[name]}")


def options_of(name: str) -> list[str]:
    """The options of the architecture `name`: the keyword-only parameters of its class. The builder sets those before
    them, its shape."""
    made = inspect.signature(find_builder(name)).return_annotation
    assert isinstance(made, type), f"the builder {name} needs the class of what it returns as its annotation"
    parameters = inspect.signature(made).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def refuse_unknown_options(name: str, options: dict[str, Any]) -> None:
    known = options_of(name)
    for option in options:
        if option not in known:
            raise UserError(f"{name} has no option '{option}'.{nearest(option, known)} It has: {', '.join(known)}.")
