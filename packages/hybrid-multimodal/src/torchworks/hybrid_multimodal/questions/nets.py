"""The net of a configuration."""

from typing import Any

from torchworks.hybrid_multimodal.models.stacked_attention import StackedAttentionVQA
from torchworks.hybrid_multimodal.models.vqa import ProductVQA
from torchworks.shared.config import UserError

Net = StackedAttentionVQA | ProductVQA


def new_net(net: dict[str, Any], *, vocabulary: int, answers: int, image_size: int, channels: int) -> Net:
    """With new weights; `net` are the fields of `VQANetConfig`. Raises `UserError` for sizes that do not fit."""
    common = {
        "vocabulary": vocabulary, "answers": answers, "widths": net["widths"], "blocks": net["blocks"],
        "width": net["width"], "in_channels": channels,
    }  # fmt: skip
    try:
        if net["fusion"] == "product":
            return ProductVQA(**common)
        return StackedAttentionVQA(**common, image_size=image_size, looks=net["looks"])
    except ValueError as error:
        raise UserError(f"These sizes make no net: {error} Change them with --net.") from error
