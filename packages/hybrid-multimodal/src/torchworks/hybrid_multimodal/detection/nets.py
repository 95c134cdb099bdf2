"""The net of a configuration, with new or given weights."""

from typing import Any

from torch import Tensor

from torchworks.hybrid_multimodal.models.detr import from_published, start_at_places
from torchworks.hybrid_multimodal.models.detr_backbone import ResNetMap
from torchworks.hybrid_multimodal.models.dn_detr import DNDETR
from torchworks.shared.config import UserError

STEM = 32
CHANGING = ("class_labels_classifier.", "model.query_position_embeddings.")
"""Tensors whose sizes are the number of classes or of queries."""
ONLY_HERE = "box_query."
"""Of denoising, which published weights do not have."""


def new_net(net: dict[str, Any], *, num_classes: int, channels: int) -> DNDETR:
    """With new weights; `net` are the fields of `DETRConfig`."""
    if net["size"] == "resnet50":
        backbone = ResNetMap(
            64, (256, 512, 1024, 2048), (3, 4, 6, 3), bottleneck=True, large=True, norm="frozen", in_channels=channels
        )
        return DNDETR(backbone, num_classes=num_classes, queries=net["queries"])
    backbone = ResNetMap(STEM, net["widths"], net["depths"], in_channels=channels)
    names = ("queries", "width", "num_heads", "encoder_depth", "decoder_depth", "hidden", "drop_rate", "temperature")
    made = DNDETR(backbone, num_classes=num_classes, **{name: net[name] for name in names})
    if net["at_places"]:
        start_at_places(made)
    return made


def load_weights(net: DNDETR, weights: dict[str, Tensor], where: str) -> list[str]:
    """Put `weights` of a published file, or of this package, into `net`; returns notes on what was left out. Raises
    `UserError` if anything else than classes and queries does not fit."""
    given, own = from_published(weights), net.state_dict()
    other = [
        name for name in own if name.startswith(CHANGING) and name in given and given[name].shape != own[name].shape
    ]
    kept = {name: value for name, value in given.items() if name not in other}
    wrong = [
        name
        for name, value in own.items()
        if name not in other
        and not (name.startswith(ONLY_HERE) and name not in kept)
        and (name not in kept or kept[name].shape != value.shape)
    ]
    unknown = [name for name in kept if name not in own]
    if wrong or unknown:
        raise UserError(
            f"The weights in {where} do not fit this net: {len(wrong)} of its {len(own)} tensors are missing or of "
            f"another shape ({', '.join(wrong[:3]) or 'none'}), and {len(unknown)} are unknown "
            f"({', '.join(unknown[:3]) or 'none'}). Weights with ResNet-50 need --net.size resnet50; those of a run "
            "need its --net options."
        )
    net.load_state_dict(kept, strict=False)
    kinds = sorted({"the classifier" if name.startswith(CHANGING[0]) else "the queries" for name in other})
    return [f"Of {where}, {' and '.join(kinds)} have another size, so new ones are trained."] if kinds else []
