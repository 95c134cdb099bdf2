"""DETR loads what is published, and its loss is Hugging Face's (its outputs: test_parity.py)."""

import pytest
import torch
from torch import nn
from transformers import DetrConfig, DetrForObjectDetection
from transformers.loss.loss_for_object_detection import HungarianMatcher, ImageLoss

from torchworks.hybrid_multimodal.models.detr import DETR, Answers, from_published
from torchworks.hybrid_multimodal.models.detr_backbone import ResNetMap
from torchworks.hybrid_multimodal.models.set_loss import Objects, centered, corners, match, set_losses
from torchworks.shared.testing import check_model

SIZES = {"queries": 5, "width": 32, "num_heads": 4, "encoder_depth": 1, "decoder_depth": 2, "hidden": 48}
IMAGES = torch.randn(2, 3, 48, 32, generator=torch.Generator().manual_seed(0))


def detr(*, drop_rate: float = 0.0, bottleneck: bool = True, **options) -> DETR:
    backbone = ResNetMap(8, (16, 32), (2, 1), bottleneck=bottleneck, **options)
    return DETR(backbone, num_classes=7, drop_rate=drop_rate, **SIZES)


class LastLayer(nn.Module):
    def __init__(self, net: DETR):
        super().__init__()
        self.net = net

    def forward(self, images):
        answers = self.net(images)
        return answers.logits[-1], answers.boxes[-1]


def test_detr_with_resnet_50_has_the_tensors_of_the_published_net():
    """Of facebook/detr-resnet-50, whose file has the older names."""
    with torch.device("meta"):
        backbone = ResNetMap(64, (256, 512, 1024, 2048), (3, 4, 6, 3), bottleneck=True, large=True, norm="frozen")
        ours = DETR(backbone, num_classes=91).state_dict()
        wanted = DetrForObjectDetection(
            DetrConfig(use_timm_backbone=False, backbone_config={"model_type": "resnet", "out_features": ["stage4"]})
        ).state_dict()
    assert {key: value.shape for key, value in ours.items() if "classifier" not in key} == {
        key: value.shape for key, value in wanted.items() if "classifier" not in key
    }


PUBLISHED = {
    "model.backbone.conv_encoder.model.conv1.weight": "model.backbone.model.embedder.embedder.convolution.weight",
    "model.backbone.conv_encoder.model.bn1.running_var": (
        "model.backbone.model.embedder.embedder.normalization.running_var"
    ),
    "model.backbone.conv_encoder.model.layer2.0.downsample.0.weight": (
        "model.backbone.model.encoder.stages.1.layers.0.shortcut.convolution.weight"
    ),
    "model.backbone.conv_encoder.model.layer2.0.downsample.1.bias": (
        "model.backbone.model.encoder.stages.1.layers.0.shortcut.normalization.bias"
    ),
    "model.backbone.conv_encoder.model.layer4.2.conv3.weight": (
        "model.backbone.model.encoder.stages.3.layers.2.layer.2.convolution.weight"
    ),
    "model.backbone.conv_encoder.model.layer1.1.bn2.weight": (
        "model.backbone.model.encoder.stages.0.layers.1.layer.1.normalization.weight"
    ),
    "model.encoder.layers.5.self_attn.out_proj.bias": "model.encoder.layers.5.self_attn.o_proj.bias",
    "model.decoder.layers.0.encoder_attn.out_proj.weight": "model.decoder.layers.0.encoder_attn.o_proj.weight",
    "model.decoder.layers.0.encoder_attn.k_proj.weight": "model.decoder.layers.0.encoder_attn.k_proj.weight",
    "model.decoder.layers.0.fc1.weight": "model.decoder.layers.0.mlp.fc1.weight",
    "model.decoder.layernorm.weight": "model.decoder.layernorm.weight",
    "model.query_position_embeddings.weight": "model.query_position_embeddings.weight",
    "bbox_predictor.layers.2.bias": "bbox_predictor.layers.2.bias",
}


def test_older_names_of_published_files_are_renamed():
    older = {name: torch.zeros(1) for name in PUBLISHED}
    older["model.backbone.conv_encoder.model.bn1.num_batches_tracked"] = torch.tensor(3)
    assert list(from_published(older)) == list(PUBLISHED.values())
    assert {*PUBLISHED.values()} <= {*_names_of_resnet_50()}


def _names_of_resnet_50() -> list[str]:
    with torch.device("meta"):
        backbone = ResNetMap(64, (256, 512, 1024, 2048), (3, 4, 6, 3), bottleneck=True, large=True, norm="frozen")
        return list(DETR(backbone, num_classes=91).state_dict())


def test_every_promise_of_a_net_holds():
    unused = ("*k_proj.bias", "*decoder.layers.0.self_attn.[qk]_proj.*", "*decoder.layers.0.self_attn.v_proj.weight")
    check_model(
        lambda: LastLayer(detr(bottleneck=False)), IMAGES, shapes=((2, 5, 8), (2, 5, 4)), unused=unused, export=False
    )


def test_where_each_query_looks_sums_to_one():
    where = detr(bottleneck=False).eval().look(IMAGES)
    assert where.shape == (2, 5, 6, 4)
    torch.testing.assert_close(where.sum((2, 3)), torch.ones(2, 5))


# ------------------------------------------------------------------------------------------------------ loss


def example() -> tuple[Answers, Objects]:
    """Two layers' answers about three images with two, no and three objects."""
    generator = torch.Generator().manual_seed(2)
    logits, boxes = torch.randn(2, 3, 5, 8, generator=generator), torch.rand(2, 3, 5, 4, generator=generator)
    labels = torch.tensor([[4, -1, 2], [-1, -1, -1], [6, 6, 0]])
    true = torch.rand(3, 3, 4, generator=generator) * 0.5 + 0.2
    return Answers(logits, boxes), Objects(true * (labels >= 0)[..., None], labels)


def test_matching_and_losses_are_hugging_faces():
    answers, objects = example()
    targets = [
        {"class_labels": objects.labels[n][objects.there[n]], "boxes": objects.boxes[n][objects.there[n]]}
        for n in range(3)
    ]
    matcher = HungarianMatcher(class_cost=1, bbox_cost=5, giou_cost=2)
    theirs = ImageLoss(matcher, 7, 0.1, ["labels", "boxes"])
    assigned = match(answers, objects)
    ours = set_losses(answers, objects, assigned)
    for layer in range(2):
        outputs = {"logits": answers.logits[layer], "pred_boxes": answers.boxes[layer]}
        for n, (queries, which) in enumerate(matcher(outputs, targets)):
            places = objects.there[n].nonzero()[:, 0]
            wanted = torch.full((5,), -1)
            wanted[queries] = places[which]
            assert assigned[layer, n].tolist() == wanted.tolist()
        wanted = theirs(outputs, targets)
        torch.testing.assert_close(ours["class"][layer], wanted["loss_ce"])
        torch.testing.assert_close(ours["l1"][layer], 5 * wanted["loss_bbox"])
        torch.testing.assert_close(ours["giou"][layer], 2 * wanted["loss_giou"])


def test_more_objects_than_queries_leave_some_out():
    answers, objects = example()
    few = Answers(answers.logits[:, :, :2], answers.boxes[:, :, :2])
    assigned = match(few, objects)
    assert (assigned[:, 0] >= 0).all()
    assert (assigned[:, 1] < 0).all()
    assert all(torch.isfinite(loss).all() for loss in set_losses(few, objects, assigned).values())


def test_boxes_by_corners_and_by_centers_are_the_same():
    boxes = torch.tensor([[0.5, 0.4, 0.2, 0.6]])
    assert corners(boxes)[0].tolist() == pytest.approx([0.4, 0.1, 0.6, 0.7])
    torch.testing.assert_close(centered(corners(boxes)), boxes)
