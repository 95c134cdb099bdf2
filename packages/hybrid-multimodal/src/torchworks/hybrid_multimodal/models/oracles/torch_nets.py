"""Layers beside those of torch.nn, in small, with random weights."""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.parity import Comparison, Sizes
from torchworks.hybrid_multimodal.models.sasrec import Layer
from torchworks.shared.models.parity import On
from torchworks.shared.testing import randomize

EMBED_DIM, HEADS = 8, 2
NAMES = {
    "self_attn.in_proj_": "qkv.", "self_attn.out_proj": "out", "linear1": "ffn.0", "linear2": "ffn.2",
    "norm1": "attention_norm", "norm2": "ffn_norm",
}  # fmt: skip


def sasrec_layer() -> Comparison:
    """With the mask by which an item sees itself and those before it."""
    theirs = nn.TransformerEncoderLayer(EMBED_DIM, HEADS, EMBED_DIM, 0.0, batch_first=True, norm_first=True)

    def reference(net: Any, x: Tensor, allowed: Tensor) -> Tensor:
        return net(x, src_mask=~allowed)

    def make(sizes: Sizes) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(sizes["T"])
        x = torch.randn(sizes["N"], sizes["T"], EMBED_DIM, generator=generator)
        return x, torch.ones(sizes["T"], sizes["T"], dtype=torch.bool).tril()

    return Comparison(
        "torch.nn.TransformerEncoderLayer",
        On(randomize(Layer(EMBED_DIM, HEADS, 0.0)), lambda net, x, allowed: net(x, allowed)),
        On(randomize(theirs), reference),
        make=make,
        axes=({0: "N", 1: "T"}, {0: "T", 1: "T"}),
        key_map=_ours,
        compared_at={"N": 3, "T": 5},
        captured_at={"T": 4},
        exported=({"T": 1}, {"T": 3}, {"T": 9}),
    )


def _ours(key: str) -> str:
    for theirs, ours in NAMES.items():
        key = key.replace(theirs, ours)
    return key
