"""The net of a configuration, and the vectors of many images and texts.

Shape letters: N images or texts, C channels, S pixels along a side, D size of a vector.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.contrastive.pairs import Texts
from torchworks.hybrid_multimodal.models.clip import CLIP, VisionTransformer
from torchworks.hybrid_multimodal.models.scene_encoder import SceneEncoder
from torchworks.shared.config import UserError

AT_ONCE = 128


def new_net(net: dict[str, Any], *, vocabulary: int, length: int, image_size: int, channels: int) -> CLIP:
    """With new weights; `net` are the fields of `ClipNetConfig`. Raises `UserError` for sizes that do not fit."""
    embed_dim = net["embed_dim"]
    common: dict[str, Any] = {"image_size": image_size, "embed_dim": embed_dim, "in_channels": channels}
    try:
        if net["architecture"] == "scene":
            visual = SceneEncoder(**common, widths=net["widths"], blocks=net["blocks"], queries=net["queries"])
        else:
            visual = VisionTransformer(
                **common, patch_size=net["patch_size"], width=net["vit_width"], depth=net["vit_depth"],
                num_heads=net["num_heads"],
            )  # fmt: skip
        return CLIP(
            visual, vocabulary=vocabulary, embed_dim=embed_dim, context_length=length, width=net["text_width"],
            depth=net["text_depth"], num_heads=net["num_heads"], first_scale=net["first_scale"],
        )  # fmt: skip
    except ValueError as error:
        raise UserError(f"These sizes make no net: {error} Change them with --net.") from error


@torch.no_grad()
def image_vectors(net: CLIP, images: Tensor) -> Tensor:
    """Of images uint8 (N, C, S, S), float32 (N, D) on the CPU."""
    net.eval()
    device = net.logit_scale.device
    parts = [net.encode_image(part.to(device).float() / 127.5 - 1) for part in images.split(AT_ONCE)]
    return torch.cat(parts).float().cpu()


def encoder_of(net: CLIP, texts: Texts) -> Callable[[Sequence[str]], Tensor]:
    """What computes the vectors of texts, float32 (N, D) on the CPU."""

    @torch.no_grad()
    def encode(given: Sequence[str]) -> Tensor:
        net.eval()
        tokens = texts(given).to(net.logit_scale.device)
        return torch.cat([net.encode_text(part) for part in tokens.split(AT_ONCE)]).float().cpu()

    return encode
