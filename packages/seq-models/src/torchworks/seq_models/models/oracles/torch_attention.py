"""Attention and the Transformer's layers beside those of torch.nn, in small, with random weights and no dropout."""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.seq_models.models.attention import MultiHeadAttention, visible
from torchworks.seq_models.models.parity import Comparison, Sizes
from torchworks.seq_models.models.transformer import DecoderStack, EncoderStack, LayerSize
from torchworks.shared.testing import randomize

EMBED_DIM, HEADS, FF_DIM, DEPTH = 16, 2, 24, 2


def multi_head() -> Comparison:
    ours = OurAttention(MultiHeadAttention(EMBED_DIM, HEADS))
    theirs = TorchAttention(nn.MultiheadAttention(EMBED_DIM, HEADS, batch_first=True))
    return of_padded("MultiheadAttention", ours, theirs)


def encoder() -> Comparison:
    return of_encoder(norm_first=False)


def encoder_pre_norm() -> Comparison:
    return of_encoder(norm_first=True)


def decoder() -> Comparison:
    return of_decoder(norm_first=False)


def decoder_pre_norm() -> Comparison:
    return of_decoder(norm_first=True)


# ------------------------------------------------------------------------------------------------------- pieces


def of_encoder(*, norm_first: bool) -> Comparison:
    """Both read rows padded at their end."""
    layer = nn.TransformerEncoderLayer(EMBED_DIM, HEADS, FF_DIM, 0.0, norm_first=norm_first, batch_first=True)
    norm = nn.LayerNorm(EMBED_DIM) if norm_first else None
    theirs = nn.TransformerEncoder(layer, DEPTH, norm, enable_nested_tensor=False)
    ours = EncoderStack(LayerSize(EMBED_DIM, HEADS, FF_DIM, 0.0, norm_first), DEPTH)
    return of_padded("TransformerEncoder", OurEncoder(ours), TorchEncoder(theirs))


def of_padded(name: str, ours: nn.Module, theirs: nn.Module) -> Comparison:
    return Comparison(
        f"torch.nn.{name}",
        ours,
        randomize(theirs),
        make=lambda sizes: (vectors(sizes, "T"), real_of(sizes, "T")),
        axes=({0: "N", 1: "T"},) * 2,
    )


def of_decoder(*, norm_first: bool) -> Comparison:
    """Both look at a source padded at its end, and at earlier tokens."""
    layer = nn.TransformerDecoderLayer(EMBED_DIM, HEADS, FF_DIM, 0.0, norm_first=norm_first, batch_first=True)
    theirs = nn.TransformerDecoder(layer, DEPTH, nn.LayerNorm(EMBED_DIM) if norm_first else None)
    ours = DecoderStack(LayerSize(EMBED_DIM, HEADS, FF_DIM, 0.0, norm_first), DEPTH)
    return Comparison(
        "torch.nn.TransformerDecoder",
        OurDecoder(ours),
        TorchDecoder(randomize(theirs)),
        make=lambda sizes: (vectors(sizes, "T"), vectors(sizes, "R"), real_of(sizes, "R")),
        axes=({0: "N", 1: "T"}, {0: "N", 1: "R"}, {0: "N", 1: "R"}),
    )


class On(nn.Module):
    """A net, called by its subclass. What is computed at padding is left out: there torch.nn gives zeros or not."""

    def __init__(self, net: Any):
        super().__init__()
        self.net = net


class OurAttention(On):
    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        return self.net(x, visible(real)) * real[:, :, None]


class TorchAttention(On):
    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        return self.net(x, x, x, key_padding_mask=~real, need_weights=False)[0] * real[:, :, None]


class OurEncoder(On):
    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        return self.net(x, visible(real)) * real[:, :, None]


class TorchEncoder(On):
    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        return self.net(x, src_key_padding_mask=~real) * real[:, :, None]


class OurDecoder(On):
    def forward(self, x: Tensor, memory: Tensor, real: Tensor) -> Tensor:
        return self.net(x, self.net.read(memory), source_mask=real[:, None, None])


class TorchDecoder(On):
    def forward(self, x: Tensor, memory: Tensor, real: Tensor) -> Tensor:
        later = nn.Transformer.generate_square_subsequent_mask(x.shape[1]).isinf()
        return self.net(x, memory, tgt_mask=later, memory_key_padding_mask=~real)


def vectors(sizes: Sizes, length: str) -> Tensor:
    """Random inputs (N, T, E)."""
    generator = torch.Generator().manual_seed(sizes[length])
    return torch.randn(sizes["N"], sizes[length], EMBED_DIM, generator=generator)


def real_of(sizes: Sizes, length: str) -> Tensor:
    """Rows of 1 to T real tokens, the last of T: bool (N, T)."""
    lengths = (sizes[length] - 2 * torch.arange(sizes["N"]).flip(0)).clamp_min(1)
    return torch.arange(sizes[length]) < lengths[:, None]
