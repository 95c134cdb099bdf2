"""A trained net behind the normalization of its images: what the predictors of several jobs extend.

Shape letters: N images, C channels, S pixels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.shared.models.predictor import Predictor, Signature


class ImagePredictor(Predictor):
    """A net whose images, uint8 (N, C, S, S), are normalized by `mean` and `std` of each channel, of pixels in
    [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, signature: Signature, mean: Sequence[float], std: Sequence[float]):
        super().__init__(net, signature)
        self.register_buffer("mean", 255 * torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(-1, 1, 1), persistent=False)

    def normalized(self, images: Tensor) -> Tensor:
        """uint8 (N, C, S, S) as the net was trained on them, float32."""
        return (images.float() - self.mean) / self.std


def preprocessing(config: dict[str, Any], **options: Any) -> dict[str, Any]:
    """What an image file goes through to become the input `image`, as plain data; `config` has image_size, channels,
    mean and std. `options` are further entries, such as fit="letterbox"."""
    mode = "L" if config["channels"] == 1 else "RGB"
    scale = {"mean": config["mean"], "std": config["std"]}
    return {"image": {"size": config["image_size"], "mode": mode, **options, "range": [0, 255], **scale}}
