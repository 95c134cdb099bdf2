"""What every architecture of this package offers, whatever is inside it.

    net = resnet18(num_classes=10, in_channels=1, small_images=True)
    net(x)                   logits (N, num_classes)
    net.forward_features(x)  the last feature map (N, num_features, H / stride, W / stride)
    net.forward_pyramid(x)   feature maps from large to small, one for each entry of `pyramid`
    net.reset_classifier(5)  a new last layer for other classes; the features stay

Shape letters: N images, C channels, H height, W width, K classes.
"""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Level:
    """One feature map of a pyramid: its channels, and how many pixels of the image a step in it is."""

    channels: int
    stride: int


class Backbone(nn.Module):
    """A classifier of images (N, in_channels, H, W) whose features can be used by themselves."""

    in_channels: int
    num_classes: int
    """0: there is no classifier, and `forward` gives pooled features (N, num_features)."""
    num_features: int
    """Channels of the last feature map, which the head pools."""
    pyramid: tuple[Level, ...]
    """What `forward_pyramid` returns: for the full stem, strides from 4 (or 2) to 32; for the stem of small images, the
    strides that it really has."""

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map, (N, num_features, H / stride, W / stride)."""
        raise NotImplementedError

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) of `forward_features`'s map."""
        raise NotImplementedError

    def forward_pyramid(self, x: Tensor) -> list[Tensor]:
        """Feature maps from large to small, one for each of `pyramid`."""
        raise NotImplementedError

    def forward_traceable(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Feature maps from large to small that the logits (N, K) were computed from, and the logits: what Grad-CAM
        follows a class back to. Raises `ValueError` where `forward_head` does."""
        maps = self.forward_pyramid(x)
        return maps, self.forward_head(maps[-1])

    def reset_classifier(self, num_classes: int) -> None:
        """A newly initialized last layer for `num_classes` classes; 0 takes it away."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))
