"""The architectures: one paper, one file. `create_model(NAME)` opens any of them."""

from torchworks.cnn_vision.models.registry import create_model, list_models

__all__ = ["create_model", "list_models"]
