"""CLIP beside open_clip's, in small, with random weights."""

import math
from typing import Any

import open_clip
import torch
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.clip import CLIP, VisionTransformer, with_end
from torchworks.hybrid_multimodal.models.parity import Comparison, Sizes
from torchworks.shared.models.parity import On
from torchworks.shared.testing import randomize

EMBED_DIM, VOCABULARY, LENGTH, PATCH, WIDTH = 24, 50, 9, 8, 128


def clip() -> Comparison:
    return of_clip(32, quick_gelu=False)


def clip_quick_gelu() -> Comparison:
    """As the paper's own weights were trained."""
    return of_clip(48, quick_gelu=True)


def of_clip(image_size: int, *, quick_gelu: bool) -> Comparison:
    vision = CLIPVisionCfg(layers=2, width=WIDTH, head_width=64, patch_size=PATCH, image_size=image_size)
    text = CLIPTextCfg(context_length=LENGTH, vocab_size=VOCABULARY, width=32, heads=4, layers=2)
    theirs = open_clip.model.CLIP(EMBED_DIM, vision, text, quick_gelu=quick_gelu)
    mask = theirs.attn_mask
    del theirs.attn_mask  # a buffer that is never saved, which state_dict would miss
    theirs.attn_mask = mask
    visual = VisionTransformer(
        image_size=image_size, patch_size=PATCH, width=WIDTH, depth=2, num_heads=2, embed_dim=EMBED_DIM,
        quick_gelu=quick_gelu,
    )  # fmt: skip
    ours = CLIP(
        visual, vocabulary=VOCABULARY, embed_dim=EMBED_DIM, context_length=LENGTH, width=32, depth=2, num_heads=4,
        quick_gelu=quick_gelu,
    )  # fmt: skip
    for net in (ours, theirs):
        randomize(net)
        nn.init.constant_(net.logit_scale, math.log(20))

    def reference(net: Any, images: Tensor, tokens: Tensor) -> tuple[Tensor, ...]:
        """With its scale once a row."""
        image, words, scale = net(images, tokens)[:3]
        return image, words, scale.expand(images.shape[0])

    def make(sizes: Sizes) -> tuple[Tensor, Tensor]:
        """Images, and texts of different lengths that end with the largest id."""
        generator = torch.Generator().manual_seed(sizes["T"])
        words = torch.randint(1, VOCABULARY - 1, (sizes["N"], sizes["T"] - 1), generator=generator)
        for row in range(1, sizes["N"]):
            words[row, row:] = 0
        images = torch.randn(sizes["N"], 3, image_size, image_size, generator=generator)
        return images, with_end(words, VOCABULARY - 1)

    return Comparison(
        "open_clip.CLIP",
        On(ours, lambda net, images, tokens: net(images, tokens)),
        On(theirs, reference),
        make=make,
        axes=({0: "N"}, {0: "N", 1: "T"}),
        compared_at={"N": 3, "T": LENGTH},
        captured_at={"T": 4},
        exported=({"T": 1}, {"T": 5}, {"T": LENGTH}),
        limits={"T": LENGTH},
    )
