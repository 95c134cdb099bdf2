"""CLIP: images and captions as vectors of one space, in which an image lies near what is said of it.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision" (arXiv:2103.00020).

The idea: two encoders, one of images and one of texts, trained on nothing but pairs. In a batch of N pairs each image
is to find its own caption among N, and each caption its image (the paper, figure 3):

    I = normalize(W_i f(image)),   T = normalize(W_t g(text))         (N, D) each
    logits = exp(t) I Tᵀ                                              (N, N), t is learned, exp(t) at most 100
    loss   = (cross-entropy of the rows + of the columns) / 2         `contrastive_loss`

What a trained pair is good for: to rank images by a sentence, sentences by an image, and to tell classes that are named
by nothing but sentences (zero-shot).

The text encoder is a causal transformer that is read at the end-of-text token, the largest id: what follows it is never
looked at, so padding behind it changes nothing. The image encoder is the paper's ViT, with one more LayerNorm before
its layers (`ln_pre`), or any net from images to vectors (`scene_encoder.py`).

What differs: captions of small data repeat, and then equal captions are right answers of each other. The targets of a
row are shared out among them, as in supervised contrastive learning (Khosla et al. 2020, arXiv:2004.11362); a batch
without repetitions has the paper's loss. Names of parameters are open_clip's; tests hold both to equal vectors and
gradients.

Shapes: N images, M texts, T tokens, D embed_dim, W width of a transformer, L patches, H heads, K columns.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FIRST_SCALE = 1 / 0.07
LARGEST_SCALE = 100.0


class Attention(nn.Module):
    """Multi-head attention of (N, T, W) within itself, under the names of `nn.MultiheadAttention`."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        if width % num_heads:
            raise ValueError(f"{num_heads} heads cannot share a width of {width}.")
        self.num_heads = num_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = parts.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (N, H, T, W/H) each
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class QuickGELU(nn.Module):
    """x σ(1.702 x), which the paper's own weights were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class MLP(nn.Module):
    """Two layers, four times as wide between them."""

    def __init__(self, width: int, *, quick_gelu: bool):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.gelu = QuickGELU() if quick_gelu else nn.GELU()
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(self.gelu(self.c_fc(x)))


class ResidualAttentionBlock(nn.Module):
    """x + attention(LN(x)), then x + MLP(LN(x))."""

    def __init__(self, width: int, num_heads: int, *, quick_gelu: bool):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, num_heads)
        self.mlp = MLP(width, quick_gelu=quick_gelu)

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        x = x + self.attn(self.ln_1(x), causal=causal)
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """`depth` layers of (N, T, W)."""

    def __init__(self, width: int, depth: int, num_heads: int, *, quick_gelu: bool = False):
        super().__init__()
        self.resblocks = nn.ModuleList(
            ResidualAttentionBlock(width, num_heads, quick_gelu=quick_gelu) for _ in range(depth)
        )
        residual, attention, inner = width**-0.5 * (2 * depth) ** -0.5, width**-0.5, (2 * width) ** -0.5
        for block in self.resblocks:
            block = cast(ResidualAttentionBlock, block)
            nn.init.normal_(block.attn.in_proj_weight, std=attention)
            nn.init.normal_(block.attn.out_proj.weight, std=residual)
            nn.init.normal_(block.mlp.c_fc.weight, std=inner)
            nn.init.normal_(block.mlp.c_proj.weight, std=residual)

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        for block in self.resblocks:
            x = block(x, causal=causal)
        return x


class VisionTransformer(nn.Module):
    """Images (N, C, S, S) to vectors (N, D), read at the class token. `image_size`, a multiple of the patch's size, is
    the only one that it takes. Raises `ValueError` for others."""

    def __init__(
        self,
        *,
        image_size: int = 224,
        patch_size: int = 16,
        width: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        embed_dim: int = 512,
        in_channels: int = 3,
        quick_gelu: bool = False,
    ):
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"An image of {image_size} pixels cannot be cut into patches of {patch_size}.")
        self.image_size, scale = image_size, width**-0.5
        self.conv1 = nn.Conv2d(in_channels, width, patch_size, patch_size, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn((image_size // patch_size) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(width, depth, num_heads, quick_gelu=quick_gelu)
        self.proj = nn.Parameter(scale * torch.randn(width, embed_dim))

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[2:] != (self.image_size, self.image_size):
            raise ValueError(
                f"This net is built for images of {self.image_size} × {self.image_size}, not of "
                f"{images.shape[2]} × {images.shape[3]}."
            )
        patches = self.conv1(images).flatten(2).transpose(1, 2)  # (N, L, W)
        first = self.class_embedding.expand(patches.shape[0], 1, -1)
        x = torch.cat([first, patches], 1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x))
        return self.ln_post(x[:, 0]) @ self.proj


class CLIP(nn.Module):
    """Images (N, C, S, S) and tokens (M, T ≤ `context_length`), int64, each text with one end-of-text token, its
    largest id → their vectors (N, D) and (M, D), each of length 1, and the scale exp(t) once a row, (N,).

    `visual` maps images to vectors (N, `embed_dim`)."""

    def __init__(
        self,
        visual: nn.Module,
        *,
        vocabulary: int,
        embed_dim: int = 512,
        context_length: int = 77,
        width: int = 512,
        depth: int = 12,
        num_heads: int = 8,
        quick_gelu: bool = False,
        first_scale: float = FIRST_SCALE,
    ):
        super().__init__()
        self.visual = visual
        self.positional_embedding = nn.Parameter(torch.empty(context_length, width).normal_(std=0.01))
        self.text_projection = nn.Parameter(torch.empty(width, embed_dim).normal_(std=width**-0.5))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(first_scale)))
        self.transformer = Transformer(width, depth, num_heads, quick_gelu=quick_gelu)
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.ln_final = nn.LayerNorm(width)
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def encode_image(self, images: Tensor) -> Tensor:
        """(N, D), each of length 1."""
        return _of_length_1(self.visual(images))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """(M, D), each of length 1."""
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        x = self.ln_final(self.transformer(x, causal=True))
        end = tokens.argmax(1)[:, None, None].expand(-1, 1, x.shape[2])
        return _of_length_1(x.gather(1, end)[:, 0] @ self.text_projection)

    def scale(self) -> Tensor:
        """exp(t), (); at most 100."""
        return self.logit_scale.exp().clamp(max=LARGEST_SCALE)

    def forward(self, images: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.encode_image(images), self.encode_text(tokens), self.scale().expand(images.shape[0])


def _of_length_1(vectors: Tensor) -> Tensor:
    """In float32 at least, so that vectors that autocast made have it too."""
    return F.normalize(vectors.to(torch.promote_types(vectors.dtype, torch.float32)), dim=-1)


def contrastive_loss(logits: Tensor, right: Tensor) -> Tensor:
    """The mean cross-entropy of `logits` (N, K), of which those that are `right`, bool (N, K), share each row's target
    equally; each row has at least one."""
    log_p = logits.float().log_softmax(1)
    target = right.float()
    return -(log_p * target).sum(1).div(target.sum(1)).mean()


def with_end(tokens: Tensor, end: int, padding: int = 0) -> Tensor:
    """Tokens (N, T), padded behind, as (N, T + 1) with `end` after the last token of each row."""
    longer = torch.cat([tokens, tokens.new_full((tokens.shape[0], 1), padding)], 1)
    length = (longer != padding).sum(1, keepdim=True)
    places = torch.arange(longer.shape[1], device=tokens.device)
    return longer.masked_fill(places == length, end)
