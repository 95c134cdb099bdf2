"""The net of a configuration."""

from typing import Any

from torchworks.hybrid_multimodal.models.table_and_image import TableAndImage
from torchworks.hybrid_multimodal.price.scaling import Scaling
from torchworks.shared.config import UserError
from torchworks.shared.data.mixed_columns import MixedColumns


def new_net(
    net: dict[str, Any], scaling: Scaling, columns: MixedColumns, *, image_size: int, channels: int
) -> TableAndImage:
    """With new weights; `net` are the fields of `PriceNetConfig`. Raises `UserError` for sizes that do not fit."""
    try:
        return TableAndImage(
            center=scaling.center, scale=scaling.scale, sizes=[len(names) for names in columns.categories.values()],
            image_size=image_size, in_channels=channels, **net,
        )  # fmt: skip
    except ValueError as error:
        raise UserError(f"These sizes make no net: {error} Change them with --net.") from error
