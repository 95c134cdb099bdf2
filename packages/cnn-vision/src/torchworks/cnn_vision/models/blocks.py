"""What the mobile families have in common: MobileNet V2 and V3, EfficientNet V1 and V2.

A convolution of C channels to C' with a k×k kernel costs k²·C·C' multiply-adds a pixel. All of these nets take it
apart:

    expand 1×1 (C → tC)  →  depthwise k×k, each channel alone  →  [squeeze-excitation]  →  project 1×1 (tC → C')
      t·C² a pixel            k²·tC                                 next to nothing          tC·C'

The wide middle is where the non-linearity works, and it is cheap since no channel there sees another. The narrow ends
are what is stored and added: the shortcut joins the *narrow* maps, the other way round from ResNet's bottleneck, hence
"inverted residual". The projection has no activation, as a ReLU on few channels destroys what they carry.

`state_dict` keys are those of torchvision's `Conv2dNormActivation`, `SqueezeExcitation` and `MBConv`.

Shapes: N images, C channels, H height, W width, K classes, S squeezed channels.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from operator import mul

from torch import Tensor, nn

from torchworks.cnn_vision.models.backbone import Backbone, Level
from torchworks.cnn_vision.models.stochastic_depth import StochasticDepth

Norm = Callable[[int], nn.Module]
"""From channels to a normalization: `nn.BatchNorm2d`, or a `partial` of it with another eps and momentum."""
Activation = Callable[..., nn.Module]
"""A class of activations that takes `inplace`."""


def divisible_by_8(channels: float) -> int:
    """The nearest multiple of 8 (what hardware likes), but never less than 90 % of `channels`, nor less than 8."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


class ConvNormActivation(nn.Sequential):
    """Convolution, normalization, activation; "same" padding, and no bias, since the normalization has one."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        norm: Norm,
        activation: Activation | None,
        stride: int = 1,
        groups: int = 1,
    ):
        padding = (kernel - 1) // 2
        layers = [nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups, bias=False), norm(c_out)]
        if activation is not None:
            layers.append(activation(inplace=True))
        super().__init__(*layers)


class SqueezeExcitation(nn.Module):
    """Each channel times a weight in [0, 1] that is computed from the means of all channels.

    Hu, Shen & Sun 2018 (arXiv:1709.01507), equations 2 to 4: x · gate(W₂ act(W₁ mean(x))). This is the one place in
    the block where a pixel learns of the whole image.
    """

    def __init__(self, channels: int, squeezed: int, activation: Activation, gate: Callable[[], nn.Module]):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation(inplace=True)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        squeezed = self.activation(self.fc1(x.mean((2, 3), keepdim=True)))  # (N, S, 1, 1)
        return x * self.gate(self.fc2(squeezed))  # (N, C, H, W) × (N, C, 1, 1)


class MBConv(nn.Module):
    """The inverted residual of MobileNet V3 and EfficientNet: expand, depthwise, squeeze-excitation, project.

    `hidden` channels in the middle; the expansion is left out where it would not expand. The shortcut is there
    where it can be: stride 1 and as many channels out as in.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        hidden: int,
        kernel: int,
        stride: int,
        norm: Norm,
        activation: Activation,
        squeeze: nn.Module | None = None,
        stochastic_depth: float = 0.0,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        if hidden != c_in:
            layers.append(ConvNormActivation(c_in, hidden, 1, norm=norm, activation=activation))
        layers.append(
            ConvNormActivation(hidden, hidden, kernel, stride=stride, groups=hidden, norm=norm, activation=activation)
        )
        if squeeze is not None:
            layers.append(squeeze)
        layers.append(ConvNormActivation(hidden, c_out, 1, norm=norm, activation=None))
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth)
        self.has_shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        if self.has_shortcut:
            return x + self.stochastic_depth(self.block(x))
        return self.block(x)


class ChainBackbone(Backbone):
    """A net that is one chain: `features`, a mean over the map, `classifier`.

    A family sets its own attributes, gives the parts of the chain to `assemble`, and says in `head` what a new
    classifier is.
    """

    drop_rate: float
    features: nn.Sequential
    classifier: nn.Sequential

    def assemble(
        self, parts: Sequence[nn.Module], channels: Sequence[int], strides: Sequence[int], num_classes: int
    ) -> None:
        """Chain `parts`, whose maps have `channels`, each of them `strides` times smaller than the one before."""
        levels = [Level(*level) for level in zip(channels, accumulate(strides, mul), strict=True)]
        # The last part of each resolution; the last part of all has no smaller one behind it.
        self.ends = [i for i, (a, b) in enumerate(pairwise(levels)) if a.stride != b.stride] + [len(levels) - 1]
        self.pyramid = tuple(levels[end] for end in self.ends)
        self.num_features = channels[-1]
        self.num_classes = num_classes
        self.features = nn.Sequential(*parts)
        self.classifier = self.head(num_classes) if num_classes else nn.Sequential()
        self.initialize(self)

    def head(self, num_classes: int) -> nn.Sequential:
        """Pooled features (N, num_features) to logits (N, K); the last layer is the one that knows the classes."""
        return nn.Sequential(nn.Dropout(self.drop_rate), nn.Linear(self.num_features, num_classes))

    def initialize(self, part: nn.Module) -> None:
        """He et al. 2015 by fan-out for convolutions, `initialize_linear` for the head, zeros for all biases."""
        for module in part.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                self.initialize_linear(module)
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def initialize_linear(self, layer: nn.Linear) -> None:
        nn.init.normal_(layer.weight, std=0.01)

    def forward_features(self, x: Tensor) -> Tensor:
        return self.features(x)  # (N, num_features, H / stride, W / stride)

    def forward_head(self, features: Tensor) -> Tensor:
        return self.classifier(features.mean((2, 3)))

    def forward_pyramid(self, x: Tensor) -> list[Tensor]:
        maps = []
        for index, part in enumerate(self.features):
            x = part(x)
            if index in self.ends:
                maps.append(x)
        return maps

    def reset_classifier(self, num_classes: int) -> None:
        """As in `Backbone`; a hidden layer of the head stays, unless it went with `num_classes=0`."""
        fresh = self.head(num_classes) if num_classes else nn.Sequential()
        self.initialize(fresh)
        before_last = self.classifier[:-1] if num_classes and self.num_classes else fresh[:-1]
        fresh = nn.Sequential(*before_last, *fresh[-1:])
        # A net that is on a GPU or in evaluation stays so.
        self.classifier = fresh.to(next(self.features.parameters())).train(self.training)
        self.num_classes = num_classes


def strides_of(strides: Sequence[int], small_images: bool) -> list[int]:
    """`strides` from the stem on; for small images without the first two halvings, so that 32 becomes 4 and not 1."""
    halvings = [index for index, stride in enumerate(strides) if stride == 2]
    skipped = halvings[:2] if small_images else []
    return [1 if index in skipped else stride for index, stride in enumerate(strides)]
