"""Vision Transformer: an image as a sentence of patches, read by a plain transformer encoder.

Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale"
(arXiv:2010.11929).

The idea: cut the image into patches, make a vector of each, add a learned vector that says where it lay, and let
every patch look at every other from the first layer on. No convolution tells the net that neighbours belong
together; it learns that from data, which is why a ViT needs more data (or more augmentation) than a CNN.

    z_0 = [class; patch_1·E; …; patch_L·E] + positions                    (1)
    z'  = z + attention(LN(z))                                             (2)
    z   = z' + MLP(LN(z'))                                                 (3)
    y   = LN(z)[class]                                                     (4)
    attention = softmax(Q Kᵀ / √d) V, in each of the heads by itself       (appendix A)

The class token is one more learned vector. It belongs to no place, gathers what it needs from the patches in each
layer, and is all that the classifier reads.

Image sizes: positions are learned for one grid (`image_size / patch_size` squared). For any other grid they are
interpolated as a picture, "according to their location in the original image" (the paper, section 3.2):
`resize_positions`, bicubic with the corners kept in place, as torchvision's `interpolate_embeddings` does (the
paper's own code is bilinear). It is done in `forward` for an image of another size, and once for all when published
weights are loaded into a net with another `image_size`. Height and width must be multiples of the patch size.

What differs: like torchvision we keep one linear layer as the head (the paper has a hidden tanh layer while it
pre-trains) and start the positions from N(0, 0.02²). Dropout is off unless asked for; the paper trains with 0.1.
`forward_features` gives the map of patch tokens, which the class token is not part of; see `forward_head`.

| builder | parameters (M) | GFLOPs at 224 | ImageNet top-1 (%) |
|---|---|---|---|
| `vit_b_16` | 86.6 | 17.6 | 81.07 |

(torchvision's weights IMAGENET1K_V1, trained on ImageNet-1k alone with DeiT's recipe.)

Shapes: N images, C channels of the image, D embed_dim, H heads, h × w grid of patches, L = h·w, T = 1 + L tokens.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.cnn_vision.models.backbone import Backbone, Level


@dataclass(frozen=True)
class ViTSize:
    """One row of the paper's table 1, and the size of a patch in pixels."""

    patch_size: int
    depth: int
    embed_dim: int
    mlp_dim: int
    num_heads: int
    image_size: int
    """Height and width that the positions are learned for, unless the user says otherwise."""


BASE_16 = ViTSize(patch_size=16, depth=12, embed_dim=768, mlp_dim=3072, num_heads=12, image_size=224)
SMALL_IMAGES = ViTSize(patch_size=4, depth=6, embed_dim=192, mlp_dim=768, num_heads=3, image_size=32)


class VisionTransformer(Backbone):
    """Images (N, in_channels, height, width) to logits (N, num_classes).

    `image_size` is the size that positions are learned for, a multiple of the patch size; other sizes work too.

    `small_images` is not only another stem here but another net, with the same names of parameters: patches of 4
    pixels (one of 16 would be a quarter of a 32 × 32 image), and the width of DeiT-Tiny (Touvron et al. 2020,
    2012.12877) with half its layers, 2.7 M parameters with 10 classes. The base size has nothing to learn 86 M
    parameters from where images are this small.

    `pool` is what the classifier reads: "token" is the paper's and torchvision's class token; "mean" is the mean of
    the patch tokens (Beyer et al. 2022, 2205.01580), with which `forward_head` needs the map alone.
    """

    def __init__(
        self,
        size: ViTSize = BASE_16,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        small_images: bool = False,
        image_size: int | None = None,
        drop_rate: float = 0.0,
        attention_drop_rate: float = 0.0,
        pool: Literal["token", "mean"] = "token",
    ):
        super().__init__()
        size = SMALL_IMAGES if small_images else size
        self.in_channels, self.num_classes, self.num_features = in_channels, num_classes, size.embed_dim
        self.patch_size, self.pool = size.patch_size, pool
        self.pyramid = (Level(size.embed_dim, size.patch_size),)
        side = _grid_side(image_size or size.image_size, size.patch_size)

        self.class_token = nn.Parameter(torch.zeros(1, 1, size.embed_dim))
        self.conv_proj = patch_embedding(in_channels, size)
        self.encoder = Encoder(size, side, drop_rate, attention_drop_rate)
        self.heads = nn.Sequential()
        self.reset_classifier(num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(*self.forward_tokens(x))

    def forward_tokens(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The map of patch tokens (N, D, h, w) and the class token (N, D), both normalized."""
        patches = self.conv_proj(x)  # (N, D, h, w)
        return split(self.encoder(self._join(patches), patches.shape[2:]), patches.shape[2:])

    def forward_traceable(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """The normalized patches that the last block's attention reads, as one map, and the logits.

        The class token learns of the patches there for the last time: what the block writes into them afterwards no
        longer reaches the classifier.
        """
        patches = self.conv_proj(x)
        grid = patches.shape[2:]
        last: Any = self.encoder.layers[-1]
        z = self.encoder.layers[:-1](self.encoder.embed(self._join(patches), grid))
        traced, class_token = split(last.ln_1(z), grid)
        z = last.update(z, join(traced, class_token))
        return [traced], self.forward_head(*split(self.encoder.ln(z), grid))

    def forward_features(self, x: Tensor) -> Tensor:
        """The map of patch tokens (N, D, height / patch, width / patch), without the class token."""
        return self.forward_tokens(x)[0]

    def forward_head(self, features: Tensor, class_token: Tensor | None = None) -> Tensor:
        """Logits (N, K) of what `forward_tokens` returns.

        With `pool="token"` the classifier reads the class token and nothing else, so the map of `forward_features` is
        not enough: without `class_token` this raises `ValueError` rather than answer for another net.
        """
        if self.pool == "mean":
            return self.heads(features.mean((2, 3)))
        if class_token is None:
            raise ValueError(
                "The head of this ViT reads the class token, which the map of patches does not hold: call the net "
                "itself, pass both results of forward_tokens, or build the net with pool='mean'."
            )
        return self.heads(class_token)

    def forward_pyramid(self, x: Tensor) -> list[Tensor]:
        """One map: a plain ViT keeps the same resolution from the first layer to the last."""
        return [self.forward_features(x)]

    def reset_classifier(self, num_classes: int) -> None:
        """A new linear layer of zeros, as torchvision's and the paper's fine-tuning start; 0 takes it away."""
        self.num_classes = num_classes
        self.heads = nn.Sequential()
        if num_classes:
            like = self.class_token
            head = nn.Linear(self.num_features, num_classes, device=like.device, dtype=like.dtype)
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
            self.heads.add_module("head", head)

    def _join(self, patches: Tensor) -> Tensor:
        return join(patches, self.class_token[:, 0].expand(patches.shape[0], -1))


def join(patches: Tensor, class_token: Tensor) -> Tensor:
    """A map (N, D, h, w) and a class token (N, D) as tokens (N, T, D)."""
    return torch.cat([class_token[:, None], patches.flatten(2).transpose(1, 2)], dim=1)


def split(tokens: Tensor, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Tokens (N, T, D) as a map (N, D, h, w) and the class token (N, D)."""
    return tokens[:, 1:].transpose(1, 2).unflatten(2, grid), tokens[:, 0]


def patch_embedding(in_channels: int, size: ViTSize) -> nn.Conv2d:
    """E of equation 1: a linear layer over each patch is a convolution whose stride is its kernel."""
    conv = nn.Conv2d(in_channels, size.embed_dim, size.patch_size, stride=size.patch_size)
    nn.init.trunc_normal_(conv.weight, std=math.sqrt(1 / conv.weight[0].numel()))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class Encoder(nn.Module):
    """Tokens (N, T, D) without positions to normalized tokens (N, T, D)."""

    def __init__(self, size: ViTSize, side: int, drop_rate: float, attention_drop_rate: float):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, 1 + side**2, size.embed_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(drop_rate)
        self.layers = nn.Sequential()
        for index in range(size.depth):
            self.layers.add_module(f"encoder_layer_{index}", EncoderLayer(size, drop_rate, attention_drop_rate))
        self.ln = nn.LayerNorm(size.embed_dim, eps=1e-6)

    def forward(self, tokens: Tensor, grid: Sequence[int]) -> Tensor:
        return self.ln(self.layers(self.embed(tokens, grid)))

    def embed(self, tokens: Tensor, grid: Sequence[int]) -> Tensor:
        """Equation 1: what the first block is given."""
        return self.dropout(tokens + resize_positions(self.pos_embedding, grid))


class EncoderLayer(nn.Module):
    """Equations 2 and 3: attention, then an MLP, each normalized before and added to what came in."""

    def __init__(self, size: ViTSize, drop_rate: float, attention_drop_rate: float):
        super().__init__()
        self.ln_1 = nn.LayerNorm(size.embed_dim, eps=1e-6)
        self.self_attention = SelfAttention(size.embed_dim, size.num_heads, attention_drop_rate)
        self.dropout = nn.Dropout(drop_rate)
        self.ln_2 = nn.LayerNorm(size.embed_dim, eps=1e-6)
        self.mlp = mlp(size.embed_dim, size.mlp_dim, drop_rate)

    def forward(self, z: Tensor) -> Tensor:
        return self.update(z, self.ln_1(z))

    def update(self, z: Tensor, normalized: Tensor) -> Tensor:
        """`forward` for a `z` that is normalized already."""
        z = z + self.dropout(self.self_attention(normalized))
        return z + self.mlp(self.ln_2(z))


class SelfAttention(nn.Module):
    """Multi-head self-attention (N, T, D) → (N, T, D), parameters named as in `nn.MultiheadAttention`.

    `in_proj_weight` (3·D, D) makes queries, keys and values at once. Each head h works on its own d = D / H channels:

        head_h = softmax(Q_h K_hᵀ / √d) V_h          (T × T weights, each row sums to 1)
        output = [head_1, …, head_H] · W_out + b_out
    """

    def __init__(self, embed_dim: int, num_heads: int, drop_rate: float):
        super().__init__()
        self.num_heads, self.drop_rate = num_heads, drop_rate
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim))
        self.out_proj = nn.Linear(embed_dim, embed_dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (N, T, 3·D)
        qkv = qkv.unflatten(2, (3, self.num_heads, -1))  # (N, T, 3, H, d)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (N, H, T, d)
        drop_rate = self.drop_rate if self.training else 0.0
        heads = F.scaled_dot_product_attention(q, k, v, dropout_p=drop_rate)  # (N, H, T, d)
        return self.out_proj(heads.transpose(1, 2).flatten(2))  # (N, T, D)


def mlp(embed_dim: int, hidden_dim: int, drop_rate: float) -> nn.Sequential:
    """Two layers over each token by itself."""
    layers = nn.Sequential(
        nn.Linear(embed_dim, hidden_dim),
        nn.GELU(),
        nn.Dropout(drop_rate),
        nn.Linear(hidden_dim, embed_dim),
        nn.Dropout(drop_rate),
    )
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)
    return layers


def resize_positions(positions: Tensor, grid: Sequence[int]) -> Tensor:
    """Learned positions (1, 1 + side², D) for another grid (h, w): (1, 1 + h·w, D).

    The class token's is kept; the rest is resized as a picture of D channels, bicubic, corners on corners.
    """
    own, places = positions[:, :1], positions[:, 1:]
    side = math.isqrt(places.shape[1])
    if tuple(grid) == (side, side):
        return positions
    picture = places.transpose(1, 2).unflatten(2, (side, side))  # (1, D, side, side)
    picture = F.interpolate(picture, size=tuple(grid), mode="bicubic", align_corners=True)  # (1, D, h, w)
    return torch.cat([own, picture.flatten(2).transpose(1, 2)], dim=1)


def rename_old_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's file of `vit_b_16` calls the MLP's layers `linear_1` and `linear_2`; since its version 0.13 the
    net itself calls them `0` and `3` (and torchvision renames as it loads, as we do)."""
    return {key.replace(".mlp.linear_1.", ".mlp.0.").replace(".mlp.linear_2.", ".mlp.3."): state[key] for key in state}


def adapt_state(state: dict[str, Tensor], net: VisionTransformer) -> dict[str, Tensor]:
    """`state` with its positions resized to the net's own grid."""
    key = "encoder.pos_embedding"
    if key not in state or state[key].ndim != 3:
        return state
    side = math.isqrt(net.encoder.pos_embedding.shape[1] - 1)
    return state | {key: resize_positions(state[key].float(), (side, side))}


def _grid_side(image_size: int, patch_size: int) -> int:
    if image_size % patch_size:
        raise ValueError(
            f"image_size {image_size} does not divide into patches of {patch_size} pixels: take a multiple of it."
        )
    return image_size // patch_size


def vit_b_16(**options) -> VisionTransformer:
    """ViT-B/16: 12 layers of width 768 over patches of 16 × 16 pixels; see `VisionTransformer` for the options."""
    return VisionTransformer(BASE_16, **options)
