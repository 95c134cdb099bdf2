"""DETR: detection as the prediction of a set, without anchors and without suppression.

Carion et al. 2020, "End-to-End Object Detection with Transformers" (arXiv:2005.12872).

The idea: a decoder has Q learned queries. Each looks at all cells of the image's map and at the other queries, and says
one object with its box, or "no object". Training assigns each true object to one query (see `set_loss.py`), so no
two queries say the same object and nothing needs to be suppressed.

    m = encoder(W x + b),  x the cells of a residual network's map, with sine positions p at each attention
    q_l = decoder layer l (q_{l-1}; queries e, memory m, positions p),   q_0 = 0
    class_l = softmax(V n(q_l)),   box_l = σ(MLP(n(q_l)))        with the same norm n and heads for every layer

Every layer's answer is trained (auxiliary losses, section 3.2); the last one's is used. Layers are post-norm, as in the
paper: x ← norm(x + f(x)).

Names are those of Hugging Face's `DetrForObjectDetection` (transformers 5); `from_published` renames what published
files have, which carry older names.

What differs: images have no padding, so there are no masks. `denoised` lets a decoder see further queries, made of
noised true objects (see `dn_detr.py`).

Shapes: N images, C channels, H × W pixels, L = h × w cells, D d_model, Q queries, K classes, M decoder layers.
"""

import math
import re
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.hybrid_multimodal.models.detr_backbone import ResNetMap

TEMPERATURE = 10_000
"""Of the sine positions."""


class Answers(NamedTuple):
    """What every decoder layer says, the last one last."""

    logits: Tensor
    """(M, N, Q, K + 1), the last class for "no object"."""
    boxes: Tensor
    """(M, N, Q, 4) in [0, 1], center x, center y, width and height as shares of the image."""


class Attention(nn.Module):
    """Attention of several heads. Positions are added to queries and keys, not to values."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.k_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.q_proj, self.o_proj = nn.Linear(width, width), nn.Linear(width, width)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (N, heads, …, D / heads)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, Q, D) from queries (N, Q, D), keys and values (N, L, D); a bool `mask` (Q, L) is True where to look."""
        q, k, v = self._heads(self.q_proj(queries)), self._heads(self.k_proj(keys)), self._heads(self.v_proj(values))
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o_proj(found.transpose(1, 2).flatten(2))

    def where(self, queries: Tensor, keys: Tensor) -> Tensor:
        """The weights of attention, means over the heads, (N, Q, L)."""
        q, k = self._heads(self.q_proj(queries)), self._heads(self.k_proj(keys))
        return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1).mean(1)


class MLP(nn.Module):
    """fc2(relu(fc1(x)))."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(x)))


class EncoderLayer(nn.Module):
    def __init__(self, width: int, num_heads: int, hidden: int, drop_rate: float):
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = Attention(width, num_heads), nn.LayerNorm(width)
        self.mlp, self.final_layer_norm = MLP(width, hidden), nn.LayerNorm(width)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        placed = x + positions
        x = self.self_attn_layer_norm(x + self.drop(self.self_attn(placed, placed, x)))
        return self.final_layer_norm(x + self.drop(self.mlp(x)))


class DecoderLayer(nn.Module):
    def __init__(self, width: int, num_heads: int, hidden: int, drop_rate: float):
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = Attention(width, num_heads), nn.LayerNorm(width)
        self.encoder_attn, self.encoder_attn_layer_norm = Attention(width, num_heads), nn.LayerNorm(width)
        self.mlp, self.final_layer_norm = MLP(width, hidden), nn.LayerNorm(width)
        self.drop = nn.Dropout(drop_rate)

    def attended(self, x: Tensor, queries: Tensor, mask: Tensor | None = None) -> Tensor:
        """`x` (N, Q, D) once the queries have looked at each other."""
        placed = x + queries
        return self.self_attn_layer_norm(x + self.drop(self.self_attn(placed, placed, x, mask)))

    def forward(
        self, x: Tensor, queries: Tensor, memory: Tensor, positions: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        x = self.attended(x, queries, mask)
        x = self.encoder_attn_layer_norm(x + self.drop(self.encoder_attn(x + queries, memory + positions, memory)))
        return self.final_layer_norm(x + self.drop(self.mlp(x)))


class Encoder(nn.Module):
    def __init__(self, depth: int, width: int, num_heads: int, hidden: int, drop_rate: float):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, num_heads, hidden, drop_rate) for _ in range(depth))


class Decoder(nn.Module):
    def __init__(self, depth: int, width: int, num_heads: int, hidden: int, drop_rate: float):
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(width, num_heads, hidden, drop_rate) for _ in range(depth))
        self.layernorm = nn.LayerNorm(width)


class BoxHead(nn.Module):
    """Three linear layers with ReLU between them, to 4 numbers."""

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 4)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class DetrModel(nn.Module):
    """Backbone, projection, queries and the two transformers."""

    def __init__(
        self,
        backbone: ResNetMap,
        *,
        queries: int,
        width: int,
        num_heads: int,
        encoder_depth: int,
        decoder_depth: int,
        hidden: int,
        drop_rate: float,
        temperature: float,
    ):
        super().__init__()
        self.temperature = temperature
        self.backbone = nn.ModuleDict({"model": backbone})
        self.query_position_embeddings = nn.Embedding(queries, width)
        self.input_projection = nn.Conv2d(backbone.width, width, 1)
        self.encoder = Encoder(encoder_depth, width, num_heads, hidden, drop_rate)
        self.decoder = Decoder(decoder_depth, width, num_heads, hidden, drop_rate)
        self.width = width

    def remember(self, images: Tensor) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """The memory (N, L, D), the positions of its cells (1, L, D) and the size of the map (h, w)."""
        cells = self.input_projection(self.backbone["model"](images))
        size = (cells.shape[2], cells.shape[3])
        positions = sine_positions(size, self.width, cells, self.temperature)
        x = cells.flatten(2).transpose(1, 2)
        for layer in self.encoder.layers:
            x = layer(x, positions)
        return x, positions, size


class DETR(nn.Module):
    """Images (N, C, H, W), normalized, to `Answers` of every decoder layer. Sides are any from one cell of the backbone
    on."""

    def __init__(
        self,
        backbone: ResNetMap,
        *,
        num_classes: int,
        queries: int = 100,
        width: int = 256,
        num_heads: int = 8,
        encoder_depth: int = 6,
        decoder_depth: int = 6,
        hidden: int = 2048,
        drop_rate: float = 0.1,
        temperature: float = TEMPERATURE,
    ):
        super().__init__()
        self.model = DetrModel(
            backbone, queries=queries, width=width, num_heads=num_heads, encoder_depth=encoder_depth,
            decoder_depth=decoder_depth, hidden=hidden, drop_rate=drop_rate, temperature=temperature,
        )  # fmt: skip
        self.class_labels_classifier = nn.Linear(width, num_classes + 1)
        self.bbox_predictor = BoxHead(width)
        self.num_classes, self.queries = num_classes, queries
        for name, parameter in self.model.named_parameters():
            if parameter.ndim > 1 and ("coder.layers" in name):
                nn.init.xavier_uniform_(parameter)

    def decode(
        self, content: Tensor, queries: Tensor, memory: Tensor, positions: Tensor, mask: Tensor | None = None
    ) -> Answers:
        """What every layer says of queries (N, Q, D) that begin with `content` (N, Q, D)."""
        x, states = content, []
        for layer in self.model.decoder.layers:
            x = layer(x, queries, memory, positions, mask)
            states.append(self.model.decoder.layernorm(x))
        every = torch.stack(states)
        return Answers(self.class_labels_classifier(every), exact(self.bbox_predictor(every)).sigmoid())

    def own_queries(self, rows: int) -> Tensor:
        """The learned queries for each of `rows` images, (N, Q, D)."""
        return self.model.query_position_embeddings.weight.expand(rows, -1, -1)

    def forward(self, images: Tensor) -> Answers:
        memory, positions, _ = self.model.remember(images)
        queries = self.own_queries(images.shape[0])
        return self.decode(torch.zeros_like(queries), queries, memory, positions)

    @torch.no_grad()
    def look(self, images: Tensor) -> Tensor:
        """Where each query of the last layer looked, (N, Q, h, w), which sums to 1."""
        memory, positions, size = self.model.remember(images)
        queries = self.own_queries(images.shape[0])
        x = torch.zeros_like(queries)
        *first, last = self.model.decoder.layers
        for layer in first:
            x = layer(x, queries, memory, positions)
        last = cast(DecoderLayer, last)
        x = last.attended(x, queries)
        return last.encoder_attn.where(x + queries, memory + positions).unflatten(2, size)


def exact(x: Tensor) -> Tensor:
    """At least float32: a box in bfloat16 is wrong by whole pixels."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def sine_positions(size: tuple[int, int], width: int, like: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """The sines of all cells of a map, (1, h·w, D), on the device of `like` and of its dtype."""
    dtype = exact(like[:0]).dtype
    rows, columns = (torch.arange(1, n + 1, device=like.device, dtype=dtype) / (n + 1e-6) for n in size)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), 2).flatten(0, 1)  # (h·w, 2)
    return sines(grid, width, temperature)[None].to(like.dtype)


def sines(places: Tensor, width: int, temperature: float = TEMPERATURE) -> Tensor:
    """Places (…, n), shares of the image, as sines and cosines of waves of different lengths, (…, width): the first
    width / n numbers are of the first share."""
    each = width // places.shape[-1]
    pairs = torch.arange(each, device=places.device).div(2, rounding_mode="floor")
    waves = temperature ** (2 * pairs.to(places.dtype) / each)
    angle = places[..., None] * 2 * math.pi / waves  # (…, n, each)
    return torch.stack([angle[..., 0::2].sin(), angle[..., 1::2].cos()], -1).flatten(-3)


@torch.no_grad()
def start_at_places(net: "DETR", gain: float = 1.5) -> None:
    """Queries that start at places spread over the image, and at first look at the cells around them: each is the sines
    of its place, and the decoder's attention to the memory starts with equal projections of queries and keys, so that
    what has the same sines agrees. Learned queries otherwise find out what a place is only after thousands of steps.

    The places are those of the R2 sequence (Roberts 2018), which spreads any number of them evenly."""
    model = net.model
    number, steps = torch.arange(1, net.queries + 1)[:, None], torch.tensor([[0.7548776662, 0.5698402910]])
    places = (0.5 + number * steps) % 1
    model.query_position_embeddings.weight.copy_(sines(places, model.width, model.temperature))
    for layer in model.decoder.layers:
        attention = cast(DecoderLayer, layer).encoder_attn
        attention.k_proj.weight.mul_(gain)
        attention.q_proj.weight.copy_(attention.k_proj.weight)


# ------------------------------------------------------------------------------------------- published weights

_RENAMED = (
    (r"^model\.backbone\.conv_encoder\.model\.", "model.backbone.model."),
    (r"\.model\.conv1\.", ".model.embedder.embedder.convolution."),
    (r"\.model\.bn1\.", ".model.embedder.embedder.normalization."),
    (r"\.model\.layer(\d)\.(\d+)\.", lambda found: f".model.encoder.stages.{int(found[1]) - 1}.layers.{found[2]}."),
    (r"(\.layers\.\d+)\.downsample\.0\.", r"\1.shortcut.convolution."),
    (r"(\.layers\.\d+)\.downsample\.1\.", r"\1.shortcut.normalization."),
    (r"(\.layers\.\d+)\.conv(\d)\.", lambda found: f"{found[1]}.layer.{int(found[2]) - 1}.convolution."),
    (r"(\.layers\.\d+)\.bn(\d)\.", lambda found: f"{found[1]}.layer.{int(found[2]) - 1}.normalization."),
    (r"_attn\.out_proj\.", "_attn.o_proj."),
    (r"(coder\.layers\.\d+)\.(fc[12])\.", r"\1.mlp.\2."),
)
"""Patterns of names in published files, in order, and what stands there here."""


def from_published(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a published file, such as facebook/detr-resnet-50, by the names that they have here."""
    renamed = {}
    for name, value in weights.items():
        if not name.endswith("num_batches_tracked"):
            for pattern, new in _RENAMED:
                name = re.sub(pattern, new, name)
            renamed[name] = value
    return renamed
