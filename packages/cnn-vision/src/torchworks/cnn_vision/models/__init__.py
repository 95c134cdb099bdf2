"""The architectures: one paper, one file. `create_model(NAME)` opens any of them."""

from torchworks.cnn_vision.models.create import create_model
from torchworks.cnn_vision.models.registry import list_models

__all__ = ["create_model", "list_models"]
