"""Every detector and every segmenter by name.

    create_detector("fasterrcnn_resnet50_fpn", num_classes=3)         new weights; 3 counts the background
    create_detector("ssd300_vgg16", pretrained=True)                  torchvision's weights, of COCO's 90 classes
    create_segmenter("deeplabv3_resnet50", num_classes=5, pretrained=True)      the same, but new last layers
    create_segmenter("deeplabv3_resnet20", pretrained="runs/cnn-vision/mine/001")

Names are torchvision's, but for the YOLOs, which have no background to count, and those with `resnet20`, which are for
images of about 100 pixels. Nothing here imports torch before a net is built, so that listing names is quick.
"""

import importlib
import inspect
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torchworks.shared.config import UserError, nearest

if TYPE_CHECKING:
    from torch import nn

    from torchworks.cnn_vision.models.deeplab import DeepLabV3
    from torchworks.cnn_vision.models.detector import Detector

Families = Mapping[str, tuple[str, ...]]
"""Builders of each module of this folder."""

DETECTORS: Families = {
    "faster_rcnn": ("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet20_fpn"),
    "mask_rcnn": ("maskrcnn_resnet50_fpn", "maskrcnn_resnet20_fpn"),
    "ssd": ("ssd300_vgg16", "ssd_resnet20"),
    "yolo": ("yolo_resnet50", "yolo_resnet20"),
}
SEGMENTERS: Families = {
    "unet": ("unet",),
    "deeplab": ("deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet20"),
}

_RCNN = {"frozen_bn": True, "frozen_eps": 0.0}
PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "fasterrcnn_resnet50_fpn": _RCNN,
    "maskrcnn_resnet50_fpn": _RCNN,
    "ssd300_vgg16": {},
    "deeplabv3_resnet50": {"aux_loss": True},
    "deeplabv3_resnet101": {"aux_loss": True},
    "deeplabv3_mobilenet_v3_large": {"aux_loss": True},
}
"""Nets that torchvision has weights of, and how a net must be built for them. The R-CNNs were trained with frozen batch
normalization that added nothing to the variance; the DeepLabs with an auxiliary head."""


def list_detectors() -> list[str]:
    """Names that `create_detector` knows."""
    return [name for names in DETECTORS.values() for name in names]


def list_segmenters() -> list[str]:
    """Names that `create_segmenter` knows."""
    return [name for names in SEGMENTERS.values() for name in names]


def size_of_classifier(name: str, classes: int) -> int:
    """`num_classes` of a detector of so many classes of things: all but the YOLOs count the background as one."""
    return classes if name in DETECTORS["yolo"] else classes + 1


def create_detector(name: str, *, pretrained: bool | str | Path = False, **options: Any) -> "Detector":
    """The net `name` of `list_detectors()`; `options` are its builder's: `num_classes`, which counts the background
    where the net has one, `in_channels`, and the configuration of the family.

    `pretrained=True` fetches torchvision's weights, unless they were fetched before, and sets the options that they
    need, unless they are given; a path reads a file of weights, or those of a run's directory. Both are fitted to
    `num_classes` and `in_channels` as `pretrained.py` says. Raises `UserError` for an unknown name or option, weights
    that cannot be had or read, and weights of another net.
    """
    return _create("detector", DETECTORS, name, pretrained, options)


def create_segmenter(name: str, *, pretrained: bool | str | Path = False, **options: Any) -> "DeepLabV3":
    """As `create_detector`, for the nets of `list_segmenters()`."""
    return _create("segmenter", SEGMENTERS, name, pretrained, options)


def _create(kind: str, families: Families, name: str, pretrained: bool | str | Path, options: dict[str, Any]) -> Any:
    module = _module_of(kind, families, name)
    builder = getattr(module, name)
    _refuse_unknown_options(name, inspect.signature(builder).parameters, options)
    if pretrained is True:
        options = {**_published_options(name), **options}
    net = builder(**options)
    if pretrained:
        build = partial(builder, **{key: value for key, value in options.items() if key not in _SHAPE})
        _load(net, name, pretrained, build, getattr(module, "rename_old_keys", dict))
    return net


_SHAPE = ("num_classes", "in_channels")


def _module_of(kind: str, families: Families, name: str) -> Any:
    family = {each: family for family, names in families.items() for each in names}
    if name not in family:
        raise UserError(f"There is no {kind} '{name}'.{nearest(name, family)} Known: {', '.join(family)}.")
    return importlib.import_module(f"torchworks.cnn_vision.models.{family[name]}")


def _refuse_unknown_options(name: str, known: Mapping[str, Any], options: dict[str, Any]) -> None:
    for option in options:
        if option not in known:
            raise UserError(f"{name} has no option '{option}'.{nearest(option, known)} It has: {', '.join(known)}.")


def _published_options(name: str) -> Mapping[str, Any]:
    if name not in PUBLISHED:
        raise UserError(
            f"There are no published weights of {name}: it is a net of this package. Leave `pretrained` out, pass the "
            f"path of weights, or take one of {', '.join(PUBLISHED)}."
        )
    return PUBLISHED[name]


def _load(net: "nn.Module", name: str, pretrained: Literal[True] | str | Path, build: Any, rename: Any) -> None:
    from torchworks.cnn_vision.models.pretrained import fetch, load_into, read_weights

    path = None if pretrained is True else Path(pretrained).expanduser()
    state = read_weights(path) if path else fetch(name)
    what = str(path) if path else f"torchvision's file of {name}"
    load_into(net, state, name=name, what=what, build=build, rename=rename)
