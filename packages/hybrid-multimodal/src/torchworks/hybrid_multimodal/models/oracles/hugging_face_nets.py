"""DETR beside that of transformers, in small, with random weights."""

from typing import Any

import torch
from torch import Tensor
from transformers import DetrConfig, DetrForObjectDetection

from torchworks.hybrid_multimodal.models.detr import DETR
from torchworks.hybrid_multimodal.models.detr_backbone import ResNetMap
from torchworks.hybrid_multimodal.models.parity import Comparison, Sizes
from torchworks.shared.models.parity import On
from torchworks.shared.testing import randomize

QUERIES, WIDTH, HEADS, HIDDEN, CLASSES, HEIGHT, BREADTH = 5, 32, 4, 48, 7, 48, 32


def detr() -> Comparison:
    """The last layer's logits and boxes; a backbone of bottlenecks."""
    return of_detr(bottleneck=True)


def detr_basic() -> Comparison:
    return of_detr(bottleneck=False)


def of_detr(*, bottleneck: bool) -> Comparison:
    layer = "bottleneck" if bottleneck else "basic"
    backbone = {
        "model_type": "resnet", "embedding_size": 8, "hidden_sizes": [16, 32], "depths": [2, 1], "layer_type": layer,
        "out_features": ["stage2"],
    }  # fmt: skip
    options: dict[str, Any] = dict(
        use_timm_backbone=False, backbone_config=backbone, d_model=WIDTH, encoder_layers=1, decoder_layers=2,
        encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=HIDDEN, decoder_ffn_dim=HIDDEN,
        num_queries=QUERIES, num_labels=CLASSES, dropout=0.0,
    )  # fmt: skip
    theirs = DetrForObjectDetection(DetrConfig(**options)).requires_grad_(True)  # it freezes its backbone
    ours = DETR(
        ResNetMap(8, (16, 32), (2, 1), bottleneck=bottleneck, large=True, norm="frozen"), num_classes=CLASSES,
        drop_rate=0.0, queries=QUERIES, width=WIDTH, num_heads=HEADS, encoder_depth=1, decoder_depth=2, hidden=HIDDEN,
    )  # fmt: skip

    def mine(net: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        answers = net(images)
        return answers.logits[-1], answers.boxes[-1]

    def reference(net: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        found = net(images)
        return found.logits, found.pred_boxes

    def make(sizes: Sizes) -> tuple[Tensor, ...]:
        shape = (sizes["N"], 3, HEIGHT, BREADTH)
        return (torch.randn(shape, generator=torch.Generator().manual_seed(0)),)

    return Comparison(
        f"transformers.DetrForObjectDetection, {layer}",
        On(ours, mine),
        On(randomize(theirs), reference),
        make=make,
        axes=({0: "N"},),
        compared_at={"N": 2},
        captured_at={},
        exported=({},),
    )
