"""The text encoder beside torch.nn's, with embeddings of tokens and places before it."""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.diffusion.models.parity import Comparison, Sizes
from torchworks.diffusion.models.text_encoder import TextEncoder
from torchworks.shared.testing import randomize

VOCABULARY, LONGEST, EMBED_DIM, HEADS, DEPTH = 11, 12, 16, 2, 2


def text_encoder() -> Comparison:
    return Comparison(
        "torch.nn.TransformerEncoder",
        Masked(randomize(TextEncoder(VOCABULARY, longest=LONGEST, embed_dim=EMBED_DIM, num_heads=HEADS, depth=DEPTH))),
        Masked(randomize(TorchEncoder())),
        make=tokens_and_mask,
        axes=({0: "N", 1: "L"}, {0: "N", 1: "L"}),
        exported=({"L": 1}, {"L": 4}, {"L": LONGEST}),
        key_map=lambda key: key.replace("encoder.", ""),
    )


def tokens_and_mask(sizes: Sizes) -> tuple[Tensor, Tensor]:
    """Texts of 1 to L tokens, padded."""
    generator = torch.Generator().manual_seed(sizes["L"])
    tokens = torch.randint(0, VOCABULARY, (sizes["N"], sizes["L"]), generator=generator)
    lengths = 1 + torch.arange(sizes["N"]) % sizes["L"]
    return tokens, torch.arange(sizes["L"]) < lengths[:, None]


class TorchEncoder(nn.Module):
    """torch.nn's encoder of tokens and places."""

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, EMBED_DIM)
        self.position_embedding = nn.Embedding(LONGEST, EMBED_DIM)
        layer = nn.TransformerEncoderLayer(
            EMBED_DIM, HEADS, 4 * EMBED_DIM, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, DEPTH, nn.LayerNorm(EMBED_DIM), enable_nested_tensor=False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        h = self.token_embedding(tokens) + self.position_embedding.weight[: tokens.shape[1]]
        return self.encoder(h, src_key_padding_mask=~mask)


class Masked(nn.Module):
    """The states of tokens that count; those of padding are nobody's business."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, tokens: Tensor, mask: Tensor) -> Any:
        return self.net(tokens, mask) * mask[:, :, None]
