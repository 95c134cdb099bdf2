"""DiT: a Transformer over patches of a noisy image, told time and class by its norms.

Peebles & Xie 2023, "Scalable Diffusion Models with Transformers" (arXiv:2212.09748, section 3.2, "adaLN-Zero"). Names
of parameters are those of diffusers' `DiTTransformer2DModel`, whose weights load as they are.

The idea: an image is cut into patches, each becomes a token, and a plain Transformer works on them. Time and class
never become tokens: they say how each norm scales and shifts, and how much of each branch is added.

    s_1, c_1, g_1, s_2, c_2, g_2 = W SiLU(e) + b                                  e = time and class
    h = h + g_1 · attention(LN(h) (1 + c_1) + s_1)
    h = h + g_2 · MLP(LN(h) (1 + c_2) + s_2)

W starts at 0, and so does the last layer: a new block passes on what it got, a new net answers 0. A patch's place is
told by sines and cosines of its column and row, which are no parameters.

What differs: nothing from diffusers in evaluation; in training it replaces one label in ten by "no class" inside the
net, which here is up to whoever trains. As there, and unlike the paper, every block has layers of its own for e; the
last layer uses the first block's. Images of any size are padded below and on the right, by repeating their last row and
column, to a multiple of the patch, and what is predicted for the padding is cut off.

Shape letters: N images, C channels of the image, H height, W width, P patch size, L = ⌈H/P⌉ ⌈W/P⌉ tokens, E embed_dim,
K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.diffusion.models.blocks import Attention, TimeEmbedding, crop, heads_of, pad_to, sinusoidal, zero_

TIME_CHANNELS = 256
"""Cosines and sines of the time, in DiT of all sizes."""


class DiT(nn.Module):
    """Images (N, in_channels, H, W) of any size, times (N,) from 0 to 1000 and classes (N,) → (N, out_channels, H, W).

    `num_classes` 0 is a net without classes. `image_size` is the size trained on: images of other sizes are told the
    places of that one, stretched; without it, patches are counted. Raises `UserError` if heads do not divide E.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        out_channels: int | None = None,
        patch_size: int = 2,
        embed_dim: int = 128,
        depth: int = 4,
        num_heads: int = 4,
        mlp_ratio: int = 4,
        num_classes: int = 0,
        image_size: int | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.patch_size, self.num_classes, self.out_channels = patch_size, num_classes, out_channels or in_channels
        self.pos_embed = PatchEmbedding(in_channels, embed_dim, patch_size, image_size)
        self.transformer_blocks = nn.ModuleList(
            Block(embed_dim, num_heads, mlp_ratio * embed_dim, num_classes, dropout) for _ in range(depth)
        )
        self.norm_out = nn.LayerNorm(embed_dim, 1e-6, elementwise_affine=False)
        self.proj_out_1 = nn.Linear(embed_dim, 2 * embed_dim)
        self.proj_out_2 = nn.Linear(embed_dim, patch_size**2 * self.out_channels)
        self._initialize()

    def forward(self, x: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """`label` (N,), int64, is from 0 to K; K, and None, is "no class"."""
        if label is not None and not self.num_classes:
            raise ValueError("This net was built without classes (num_classes=0), so it takes no label.")
        size = x.shape[2:]
        angles = sinusoidal(time, TIME_CHANNELS, shift=1.0).to(self.proj_out_1.weight.dtype)
        h = self.pos_embed(pad_to(x, self.patch_size))  # (N, E, H/P, W/P)
        grid = h.shape[2:]
        h = h.flatten(2).transpose(1, 2)  # (N, L, E)
        told = []
        for block in self.transformer_blocks:
            h, embedding = block(h, angles, label)
            told.append(embedding)
        shift, scale = split(self.proj_out_1(F.silu(told[0])), 2)
        h = self.proj_out_2(modulated(self.norm_out(h), shift, scale))  # (N, L, P P C)
        return crop(self._image_of(h.unflatten(1, grid)), size)

    def _image_of(self, h: Tensor) -> Tensor:
        """Patches (N, H/P, W/P, P P C) → (N, C, H, W)."""
        h = h.unflatten(3, (-1, self.out_channels)).transpose(3, 4).flatten(3)  # (N, H/P, W/P, C P P)
        return F.pixel_shuffle(h.permute(0, 3, 1, 2), self.patch_size)

    def _initialize(self) -> None:
        """As the paper's code: Xavier for layers, N(0, 0.02²) for embeddings, 0 for modulations and the last layer."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Embedding) or "timestep_embedder.linear" in name:
                nn.init.normal_(module.get_parameter("weight"), std=0.02)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            if name.endswith("norm1.linear"):
                zero_(module)
        nn.init.xavier_uniform_(self.pos_embed.proj.weight.view(self.pos_embed.proj.out_channels, -1))
        nn.init.zeros_(self.pos_embed.proj.get_parameter("bias"))
        zero_(self.proj_out_1)
        zero_(self.proj_out_2)


class PatchEmbedding(nn.Module):
    """Each patch as a vector, its place added: (N, C, H, W) → (N, E, H/P, W/P)."""

    def __init__(self, in_channels: int, embed_dim: int, patch_size: int, image_size: int | None):
        super().__init__()
        self.base = None if image_size is None else -(-image_size // patch_size)
        self.proj = nn.Conv2d(in_channels, embed_dim, patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        h = self.proj(x)
        _, channels, height, width = h.shape
        columns = self._waves(width, channels // 2, h)[:, None].expand(-1, height, -1)
        rows = self._waves(height, channels // 2, h)[:, :, None].expand(-1, -1, width)
        return h + torch.cat([columns, rows])

    def _waves(self, count: int, channels: int, like: Tensor) -> Tensor:
        """Sines, then cosines, of `count` places: (channels, count), in the dtype of `like`."""
        places = torch.arange(count, dtype=torch.float64, device=like.device)
        if self.base is not None:
            places = places * (self.base / count)
        steps = torch.arange(channels // 2, dtype=torch.float64, device=like.device)
        angles = places * (10000 ** (-steps / (channels // 2)))[:, None]
        return torch.cat([angles.sin(), angles.cos()]).float().to(like.dtype)


class Block(nn.Module):
    """A Transformer's layer whose norms and gates are told time and class: (N, L, E) → (N, L, E), and what it makes of
    time and class, (N, E). The last layer uses the first block's: were it computed outside of that block, its weights
    would be in parts where processes share a net."""

    def __init__(self, embed_dim: int, num_heads: int, ff_dim: int, num_classes: int, dropout: float):
        super().__init__()
        heads_of(embed_dim, embed_dim // num_heads)
        self.norm1 = AdaptiveNorm(embed_dim, num_classes)
        self.attn1 = Attention(embed_dim, embed_dim // num_heads, heads=num_heads)
        self.norm3 = nn.LayerNorm(embed_dim, 1e-5, elementwise_affine=False)
        self.ff = MLP(embed_dim, ff_dim, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, angles: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        embedding = self.norm1.emb(angles, label)
        shift, scale, gate, ff_shift, ff_scale, ff_gate = split(self.norm1.linear(F.silu(embedding)), 6)
        tokens = modulated(self.norm1.norm(h), shift, scale)
        h = h + gate * self.dropout(self.attn1.attend(tokens, tokens))
        return h + ff_gate * self.ff(modulated(self.norm3(h), ff_shift, ff_scale)), embedding


class AdaptiveNorm(nn.Module):
    """The first norm of a block, and the layers that say, by time and class, shift, scale and gate of attention, then
    of the MLP. `Block` calls them."""

    def __init__(self, embed_dim: int, num_classes: int):
        super().__init__()
        self.emb = TimeAndClass(embed_dim, num_classes)
        self.linear = nn.Linear(embed_dim, 6 * embed_dim)
        self.norm = nn.LayerNorm(embed_dim, 1e-6, elementwise_affine=False)


class TimeAndClass(nn.Module):
    """Cosines and sines of the time (N, 256) and classes (N,) → their sum as vectors, (N, E)."""

    def __init__(self, embed_dim: int, num_classes: int):
        super().__init__()
        self.timestep_embedder = TimeEmbedding(TIME_CHANNELS, embed_dim)
        self.class_embedder = ClassTable(num_classes, embed_dim) if num_classes else None

    def forward(self, angles: Tensor, label: Tensor | None) -> Tensor:
        embedding = self.timestep_embedder(angles)
        return embedding if self.class_embedder is None else embedding + self.class_embedder(label)


class ClassTable(nn.Module):
    """A vector for each class, and a last one for "no class": (N,) → (N, E), or (E,) for None."""

    def __init__(self, num_classes: int, embed_dim: int):
        super().__init__()
        self.embedding_table = nn.Embedding(num_classes + 1, embed_dim)

    def forward(self, label: Tensor | None) -> Tensor:
        return self.embedding_table.weight[-1] if label is None else self.embedding_table(label)


class MLP(nn.Module):
    """Two layers over each token, GELU between by its tanh approximation: (N, L, E) → (N, L, E)."""

    def __init__(self, embed_dim: int, ff_dim: int, dropout: float):
        super().__init__()
        self.net = nn.Sequential(GELULayer(embed_dim, ff_dim), nn.Dropout(dropout), nn.Linear(ff_dim, embed_dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class GELULayer(nn.Module):
    """GELU(W x + b)."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.proj = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.proj(x), approximate="tanh")


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Tokens (N, L, E), scaled and shifted by (N, 1, E)."""
    return torch.addcmul(shift, x, 1 + scale)


def split(vectors: Tensor, parts: int) -> tuple[Tensor, ...]:
    """(N, parts · E) → `parts` of (N, 1, E)."""
    return vectors.unflatten(1, (parts, 1, -1)).unbind(1)
