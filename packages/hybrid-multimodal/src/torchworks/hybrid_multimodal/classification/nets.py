"""The net of a configuration, with new or given weights."""

from typing import Any

from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.attention_classifier import AttentionClassifier, inner_width
from torchworks.hybrid_multimodal.models.coatnet import CoAtNet
from torchworks.hybrid_multimodal.models.hybrid_vit import HybridViT
from torchworks.shared.config import UserError

CLASSIFIERS = ("head.fc.", "head.", "fc.")
"""How the names of a classifier's tensors begin, for CoAtNet, the ViT and the convolutional net."""


def new_net(net: dict[str, Any], *, num_classes: int, image_size: int, channels: int) -> nn.Module:
    """With new weights; `net` are the fields of `ClassifierNetConfig`. Raises `UserError` for sizes that do not fit."""
    common: dict[str, Any] = {"num_classes": num_classes, "in_channels": channels}
    sized: dict[str, Any] = {**common, "image_size": image_size}
    try:
        if net["model"] == "conv":
            return _conv(net, common)
        if net["model"] == "coatnet":
            return CoAtNet(
                widths=net["widths"], depths=net["depths"], kinds=net["kinds"], stem_width=net["stem_width"],
                head_hidden=net["widths"][-1], **sized,
            )  # fmt: skip
        if net["model"] == "hybrid-vit":
            width = net["widths"][-1]
            return HybridViT(
                widths=net["widths"], depths=net["depths"], stem_width=net["stem_width"], depth=net["blocks"],
                width=width, num_heads=width // 32 or 1, groups=8, **sized,
            )  # fmt: skip
        return CoAtNet(**sized) if net["model"] == "coatnet-0" else HybridViT(**sized)
    except ValueError as error:
        raise UserError(f"These sizes make no net: {error} Change them with --net.") from error


def _conv(net: dict[str, Any], common: dict[str, Any]) -> AttentionClassifier:
    options: dict[str, Any] = {
        **common,
        "kind": net["attention"],
        "widths": tuple(net["widths"]),
        "blocks": net["blocks"],
    }
    inner = net["widths"][-1]
    if net["parameters"] and net["blocks"]:
        inner = inner_width(net["parameters"], **options)
    return AttentionClassifier(inner=inner, **options)


def load_weights(net: nn.Module, weights: dict[str, Tensor], where: str) -> list[str]:
    """Put `weights` into `net`; returns notes on what was left out. A classifier of other classes keeps the new weights
    of `net`. Raises `UserError` if anything else does not fit."""
    own = net.state_dict()
    other = [
        name
        for name in own
        if name in weights and weights[name].shape != own[name].shape and name.startswith(CLASSIFIERS)
    ]
    kept = {name: value for name, value in weights.items() if name not in other}
    wrong = [name for name in own if name not in other and (name not in kept or kept[name].shape != own[name].shape)]
    unknown = [name for name in kept if name not in own]
    if wrong or unknown:
        raise UserError(
            f"The weights in {where} do not fit this net: {len(wrong)} of its {len(own)} tensors are missing or of "
            f"another shape ({', '.join(wrong[:3]) or 'none'}), and {len(unknown)} are unknown "
            f"({', '.join(unknown[:3]) or 'none'}). Choose the net that they were trained for with --net.model, and "
            "its --loader.image-size."
        )
    net.load_state_dict(kept, strict=False)
    return [f"The classifier of {where} is for other classes, so a new one is trained."] if other else []
