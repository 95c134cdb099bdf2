"""The net of a configuration."""

from collections.abc import Callable
from typing import Any

from torch import nn

from torchworks.hybrid_multimodal.models import mvit, r2plus1d, s3d
from torchworks.hybrid_multimodal.models.cnn_lstm import CNNLSTM
from torchworks.hybrid_multimodal.models.video_transformer import TimeSformer
from torchworks.shared.config import UserError

FULL: dict[str, Callable[..., nn.Module]] = {
    "r3d-18": r2plus1d.r3d_18,
    "mc3-18": r2plus1d.mc3_18,
    "r2plus1d-18": r2plus1d.r2plus1d_18,
    "s3d": s3d.S3D,
}
"""Nets of their papers that take films of many sizes."""
MULTISCALE = {"mvit-v1-b": mvit.mvit_v1_b, "mvit-v2-s": mvit.mvit_v2_s}
ANY_LENGTH = ("r2plus1d",)
"""Nets that are exported for films of any number of frames. The others take as many as in training: those with
positions or a fixed size do so anyway, and torch.export fixes the frames of an LSTM, and of convolutions with strides
over time."""


def new_net(net: dict[str, Any], *, classes: int, frames: int, image_size: int, channels: int) -> nn.Module:
    """With new weights; `net` are the fields of `ActionNetConfig`. Raises `UserError` for sizes that do not fit."""
    arch, common = net["arch"], {"num_classes": classes, "in_channels": channels}
    fixed = {"frames": frames, "image_size": image_size}
    try:
        if arch == "r2plus1d":
            return r2plus1d.SmallR2Plus1D(**common, widths=net["widths"])
        if arch == "cnn-lstm":
            return CNNLSTM(**common, widths=net["widths"], width=net["width"])
        if arch == "timesformer":
            sizes = {name: net[name] for name in ("width", "depth", "heads", "patch")}
            return TimeSformer(**common, **fixed, **sizes, stem=True)
        if arch == "s3d" and (frames < s3d.FEWEST_FRAMES or image_size < s3d.SMALLEST):
            raise ValueError(f"s3d takes at least {s3d.FEWEST_FRAMES} frames of {s3d.SMALLEST} pixels.")
        return FULL[arch](**common) if arch in FULL else MULTISCALE[arch](**common, **fixed)
    except ValueError as error:
        raise UserError(
            f"These sizes make no net: {error} Change them with --net, --loader.frames or --loader.image-size."
        ) from error
