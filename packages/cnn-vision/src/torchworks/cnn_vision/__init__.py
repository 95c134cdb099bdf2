"""Deep CNNs, proven equal to torchvision's, and image classification with them.

from torchworks.cnn_vision import create_model

net = create_model("resnet18", num_classes=10, in_channels=1, small_images=True)
logits = net(torch.randn(8, 1, 8, 8))  # (8, 10)
"""

from typing import Any

__all__ = ["create_model", "list_models"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from torchworks.cnn_vision import models

    return getattr(models, name)
