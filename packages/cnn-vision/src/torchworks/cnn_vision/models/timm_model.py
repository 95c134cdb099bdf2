"""Any net of timm (Wightman 2019, https://github.com/huggingface/pytorch-image-models) behind this package's interface.

    net = create_model("timm:resnet50d", num_classes=10, pretrained=True)
    net.forward_pyramid(x)

timm is an extra (`cnn-vision[timm]`); it is imported when a net is asked for, and uses the network only for
`pretrained=True`. What timm calls features differs from family to family; here it is always a map (N, C, h, w):

- convolutional nets give it as it is;
- nets with channels last, such as Swin, are permuted;
- plain transformers give tokens: those in front (class token, registers) are cut off and the rest laid out as a map.
  What is cut off is what their head reads, so `forward_head` refuses the map of these; call the net itself.

Calling the net works for all of timm. Features and pyramids are tested with nets of six families; those that give
several lists of tokens (CoaT) have no map, and `forward_head` does not take the map of token nets without a class token
(MLP-Mixer, LeViT, EfficientFormer).

Keys of the state_dict are timm's with `model.` in front; timm's own files load too.
"""

import importlib
import math
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from torchworks.cnn_vision.models.backbone import Backbone, Level
from torchworks.cnn_vision.models.pretrained import load_into, read_weights
from torchworks.shared.config import UserError, nearest


class TimmBackbone(Backbone):
    """`model`, a net that `timm.create_model` built, with the methods of `Backbone`.

    `forward_pyramid` gives the last map of each resolution if timm offers intermediate maps of this net
    (`forward_intermediates`), else the last map alone.
    """

    def __init__(self, model: Any, in_channels: int):
        super().__init__()
        self.model: Any = model
        self.in_channels, self.num_classes, self.num_features = in_channels, model.num_classes, model.num_features
        info = list(enumerate(model.feature_info))
        last_of = {entry["reduction"]: (index, entry["num_chs"]) for index, entry in info}
        if not hasattr(model, "forward_intermediates"):
            last_of = dict([max(last_of.items())])
        self.indices = [index for index, _ in last_of.values()]
        levels = [Level(channels, stride) for stride, (_, channels) in last_of.items()]
        self.pyramid = (*levels[:-1], Level(model.num_features, levels[-1].stride))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def forward_features(self, x: Tensor) -> Tensor:
        return self._as_map(self.model.forward_features(x), x)

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) of `forward_features`'s map. Raises `ValueError` for a net whose head reads other tokens."""
        if self._has_tokens_in_front():
            raise ValueError(
                "The head of this net reads tokens that the map of patches does not hold: call the net itself."
            )
        if self._channels_last():
            features = features.permute(0, 2, 3, 1)
        return self.model.forward_head(features)

    def forward_pyramid(self, x: Tensor) -> list[Tensor]:
        if not hasattr(self.model, "forward_intermediates"):
            return [self.forward_features(x)]
        last, maps = self.model.forward_intermediates(x, indices=self.indices)
        return [*maps[:-1], self._as_map(last, x)]  # the last one after timm's final normalization or convolution

    def reset_classifier(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.model.reset_classifier(num_classes)

    def _as_map(self, features: Tensor, x: Tensor) -> Tensor:
        if features.ndim == 3:  # (N, tokens, C)
            height = math.ceil(x.shape[2] / self.pyramid[-1].stride)
            patches = features[:, getattr(self.model, "num_prefix_tokens", 0) :]
            return patches.transpose(1, 2).unflatten(2, (height, -1))
        return features.permute(0, 3, 1, 2) if self._channels_last() else features

    def _channels_last(self) -> bool:
        return getattr(self.model, "output_fmt", "NCHW") == "NHWC"

    def _has_tokens_in_front(self) -> bool:
        return getattr(self.model, "num_prefix_tokens", 0) > 0


def create_timm_model(
    name: str,
    *,
    num_classes: int,
    in_channels: int,
    small_images: bool,
    pretrained: bool | str | Path,
    **options: Any,
) -> TimmBackbone:
    """timm's net `name`. Raises `UserError` if timm is not installed, does not know the name, or cannot fetch."""
    timm = _timm()
    if not timm.is_model(name):
        raise UserError(f"timm {timm.__version__} has no model '{name}'.{nearest(name, timm.list_models())}")
    if small_images:
        raise UserError(
            f"timm:{name} has no stem for small images: enlarge them (--loader.image-size), or take one of this "
            "package's own nets, which have one."
        )
    build = partial(_build, timm, name, **options)
    if pretrained is True:
        return _fetched(name, partial(build, num_classes=num_classes, in_channels=in_channels, pretrained=True))
    net = build(num_classes=num_classes, in_channels=in_channels)
    if pretrained:
        path = Path(pretrained).expanduser()
        load_into(net, read_weights(path), name=f"timm:{name}", what=str(path), build=build, rename=as_our_keys)
    return net


def as_our_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's keys as those of `TimmBackbone`."""
    return {key if key.startswith("model.") else f"model.{key}": value for key, value in state.items()}


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise UserError(
            f"Nets of timm need timm, and {error.name} is not installed: install the extra cnn-vision[timm]."
        ) from error


def _build(timm: Any, name: str, *, num_classes: int, in_channels: int, **options: Any) -> TimmBackbone:
    try:
        net = timm.create_model(name, num_classes=num_classes, in_chans=in_channels, **options)
    except TypeError as error:
        raise UserError(f"timm:{name} does not take one of the options {', '.join(options)}: {error}.") from error
    return TimmBackbone(net, in_channels)


def _fetched(name: str, build: Any) -> TimmBackbone:
    try:
        return build()
    except UserError:
        raise
    except Exception as error:  # whatever the hub's client and its network library raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"timm's weights of {name} could not be fetched: {reason.rstrip('.')}. Is there a network, and does timm "
            "publish weights of this name? Otherwise fetch the file elsewhere and pass its path as `pretrained`."
        ) from error
