"""The net of a configuration."""

from typing import Any

from torchworks.hybrid_multimodal.models.bearing_fusion import BearingFusion
from torchworks.hybrid_multimodal.models.late_fusion import LateFusion
from torchworks.shared.config import UserError

Net = BearingFusion | LateFusion


def new_net(net: dict[str, Any], *, size: tuple[int, int], beams: int) -> Net:
    """With new weights; `net` are the fields of `LeadNetConfig`. Raises `UserError` for sizes that do not fit."""
    options = {name: net[name] for name in ("columns", "widths", "width")}
    try:
        return (BearingFusion if net["fusion"] == "bearing" else LateFusion)(size=size, beams=beams, **options)
    except ValueError as error:
        raise UserError(f"These sizes make no net: {error} Change them with --net.") from error
