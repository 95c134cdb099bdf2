"""Faster R-CNN, Mask R-CNN and SSD are equal to torchvision's: keys, boxes, scores, labels, masks, losses, gradients.

torchvision's nets resize and normalize images first; here they are told a size that images have already, mean 0 and
standard deviation 1, so that this does nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torchvision
import torchvision.models.detection as reference
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from torchworks.cnn_vision.models import faster_rcnn, fpn, mask_rcnn, resnet, ssd
from torchworks.cnn_vision.models.detector import Detector
from torchworks.cnn_vision.models.faster_rcnn import FasterRCNN, ProposalConfig, RegionConfig, fasterrcnn_resnet50_fpn
from torchworks.cnn_vision.models.fpn import BackboneWithFPN
from torchworks.cnn_vision.models.mask_rcnn import MaskRCNN, maskrcnn_resnet50_fpn
from torchworks.cnn_vision.models.ssd import SSDConfig, ssd300_vgg16
from torchworks.shared.testing import randomize

SIZE, CLASSES = 96, 4
ANCHORS = (8, 16, 32, 64, 128)
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}
UNCHANGED: dict[str, Any] = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3, "_skip_resize": True}
SINGLE, DOUBLE = pytest.param(torch.float32, id="fp32"), pytest.param(torch.float64, id="fp64")
LONG_SINGLE = pytest.param(torch.float32, id="fp32", marks=pytest.mark.long)
LONG_DOUBLE = pytest.param(torch.float64, id="fp64", marks=pytest.mark.long)
PRECISIONS = pytest.mark.parametrize("dtype", [LONG_SINGLE, DOUBLE])
SSD_PRECISIONS = pytest.mark.parametrize("dtype", [SINGLE, LONG_DOUBLE])
"""SSD300 has 8732 boxes and a VGG."""
pytestmark = pytest.mark.slow

Target = dict[str, Tensor]
Twins = tuple[Detector, nn.Module]


# ---------------------------------------------------------------------------------------------------- twins


def rcnn_twins(masks: bool = False, frozen: bool = False) -> Twins:
    """On a ResNet-18, with few proposals and small anchors: the code is that of the large net."""
    norm = FrozenBatchNorm2d if frozen else nn.BatchNorm2d
    body = resnet_fpn_backbone(backbone_name="resnet18", weights=None, norm_layer=norm, trainable_layers=5)
    theirs = (reference.MaskRCNN if masks else reference.FasterRCNN)(
        body,
        num_classes=CLASSES,
        min_size=SIZE,
        max_size=SIZE,
        rpn_anchor_generator=AnchorGenerator([(size,) for size in ANCHORS], [(0.5, 1.0, 2.0)] * len(ANCHORS)),
        rpn_pre_nms_top_n_train=200,
        rpn_pre_nms_top_n_test=100,
        rpn_post_nms_top_n_train=120,
        rpn_post_nms_top_n_test=60,
        rpn_batch_size_per_image=32,
        box_batch_size_per_image=48,
        box_score_thresh=0.3,
        box_detections_per_img=25,
        **UNCHANGED,
    )
    theirs.rpn.assign_targets_to_anchors = in_the_precision_of_anchors(theirs.rpn.assign_targets_to_anchors)
    ours = (MaskRCNN if masks else FasterRCNN)(
        BackboneWithFPN(resnet.resnet18(), frozen_bn=frozen),
        num_classes=CLASSES,
        proposing=ProposalConfig(ANCHORS, candidates=(200, 100), proposals=(120, 60), samples=32),
        detecting=RegionConfig(samples=48, score_threshold=0.3, max_detections=25),
    )
    return ours, theirs


def in_the_precision_of_anchors(assign: Callable) -> Callable:
    """torchvision's labels are float32 whatever the net is, and so would be the loss that is computed from them."""

    def assigned(anchors: list[Tensor], targets: list[Target]) -> tuple[list[Tensor], list[Tensor]]:
        labels, boxes = assign(anchors, targets)
        return [label.to(anchors[0]) for label in labels], boxes

    return assigned


def ssd_twins() -> Twins:
    theirs = reference.ssd300_vgg16(
        weights=None, weights_backbone=None, num_classes=CLASSES, score_thresh=0.3, detections_per_img=60, **UNCHANGED
    )
    return ssd300_vgg16(num_classes=CLASSES, config=SSDConfig(score_threshold=0.3, max_detections=60)), theirs


QUIET = {"fpn.layer_blocks": 0.003, "bbox_pred": 0.3, "module_list": 0.5}
"""Parts whose random weights are made smaller: with large features, all scores are 1 and all boxes off the image."""


def with_equal_weights(twins: Twins, dtype: torch.dtype) -> Twins:
    """Random ones; they load strictly both ways."""
    ours, theirs = (net.to(dtype) for net in twins)
    state = randomize(theirs).state_dict()
    for name, value in state.items():
        value *= next((factor for part, factor in QUIET.items() if part in name), 1)
    ours.load_state_dict(state, strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours, theirs


# ----------------------------------------------------------------------------------------- images and targets


def some_images(count: int, size: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(count, 3, size, size, dtype=dtype, generator=torch.Generator().manual_seed(1))


def some_targets(objects: Sequence[int], size: int, dtype: torch.dtype) -> list[Target]:
    """For each image so many boxes, with ellipses as masks."""
    generator = torch.Generator().manual_seed(2)
    return [some_target(count, size, dtype, generator) for count in objects]


def some_target(count: int, size: int, dtype: torch.dtype, generator: torch.Generator) -> Target:
    corner = torch.rand(count, 2, dtype=dtype, generator=generator) * size * 0.6
    extent = (torch.rand(count, 2, dtype=dtype, generator=generator) * 0.3 + 0.1) * size
    boxes = torch.cat([corner, corner + extent], 1)
    labels = torch.randint(1, CLASSES, (count,), generator=generator)
    x = torch.arange(size, dtype=dtype) + 0.5
    across = ((x - (corner[:, :1] + extent[:, :1] / 2)) / extent[:, :1] * 2).square()
    down = ((x - (corner[:, 1:] + extent[:, 1:] / 2)) / extent[:, 1:] * 2).square()
    return {"boxes": boxes, "labels": labels, "masks": down[:, :, None] + across[:, None, :] <= 1}


# ----------------------------------------------------------------------------------------------- comparisons


@torch.no_grad()
def assert_same_detections(twins: Twins, images: Tensor, fields: Sequence[str]) -> None:
    ours, theirs = (net.eval() for net in twins)
    tolerance = TOLERANCE[images.dtype]
    for mine, wanted in zip(ours(images), theirs(list(images)), strict=True):
        assert len(wanted["boxes"]) > 3, "there is nothing to compare"
        assert sorted(mine) == sorted(wanted) == sorted(fields)
        for name in fields:
            scale = images.shape[-1] if name == "boxes" else 1
            torch.testing.assert_close(mine[name], wanted[name], rtol=0, atol=tolerance * scale)


def assert_same_losses_and_gradients(twins: Twins, images: Tensor, targets: list[Target], names: Sequence[str]) -> None:
    """With the same random numbers from the same seed."""
    ours, theirs = (net.train() for net in twins)
    torch.manual_seed(3)
    mine = ours.losses(images, targets)
    torch.manual_seed(3)
    wanted = theirs(list(images), targets)
    assert sorted(mine) == sorted(wanted) == sorted(names)
    tolerance = TOLERANCE[images.dtype]
    for name in names:
        torch.testing.assert_close(mine[name], wanted[name], rtol=tolerance, atol=tolerance)
    gradients = [gradients_of(net, losses) for net, losses in ((ours, mine), (theirs, wanted))]
    assert gradients[0].keys() == gradients[1].keys()
    scale = max(float(gradient.abs().max()) for gradient in gradients[1].values())
    for name, gradient in gradients[1].items():
        torch.testing.assert_close(gradients[0][name], gradient, rtol=0, atol=tolerance * scale, msg=name)


def gradients_of(net: nn.Module, losses: dict[str, Tensor]) -> dict[str, Tensor]:
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    found = torch.autograd.grad(torch.stack(list(losses.values())).sum(), list(trained.values()))
    return dict(zip(trained, found, strict=True))


# ----------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (fasterrcnn_resnet50_fpn, "fasterrcnn_resnet50_fpn"),
        (maskrcnn_resnet50_fpn, "maskrcnn_resnet50_fpn"),
        (ssd300_vgg16, "ssd300_vgg16"),
    ],
)
def test_names_and_shapes_of_the_published_nets_are_torchvisions(build: Callable[..., Detector], name: str):
    with torch.device("meta"):
        ours = build()
        theirs = getattr(reference, name)(weights=None, weights_backbone=None)
    assert shapes(ours) == shapes(theirs)


PARTS: list[tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = [
    (lambda: fpn.FeaturePyramid([8, 16], 12), lambda: torchvision.ops.FeaturePyramidNetwork([8, 16], 12)),
    (lambda: faster_rcnn.RPNHead(12, 3), lambda: reference.rpn.RPNHead(12, 3)),
    (lambda: faster_rcnn.FastRCNNPredictor(20, 4), lambda: reference.faster_rcnn.FastRCNNPredictor(20, 4)),
    (lambda: mask_rcnn.MaskHead(12, 8), lambda: reference.mask_rcnn.MaskRCNNHeads(12, (8,) * 4, 1)),
    (lambda: mask_rcnn.MaskPredictor(8, 4), lambda: reference.mask_rcnn.MaskRCNNPredictor(8, 8, 4)),
    (lambda: ssd.SSDHead([8, 12], [4, 6], 5), lambda: reference.ssd.SSDHead([8, 12], [4, 6], 5)),
]


@pytest.mark.parametrize(("ours", "theirs"), PARTS)
def test_the_same_seed_starts_each_part_as_torchvision_does(ours: Callable, theirs: Callable):
    torch.manual_seed(0)
    mine = ours().state_dict()
    torch.manual_seed(0)
    for name, value in theirs().state_dict().items():
        assert torch.equal(mine[name], value), name


# ------------------------------------------------------------------------------------------------ Faster R-CNN


@PRECISIONS
@pytest.mark.parametrize("frozen", [False, True], ids=["batch_norm", "frozen"])
def test_faster_rcnn_finds_what_torchvisions_finds(dtype: torch.dtype, frozen: bool):
    twins = with_equal_weights(rcnn_twins(frozen=frozen), dtype)
    assert_same_detections(twins, some_images(2, SIZE, dtype), ["boxes", "scores", "labels"])


FASTER_LOSSES = ("loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg")


@PRECISIONS
@pytest.mark.parametrize("objects", [(3, 1), (2, 0)], ids=["objects", "an_empty_image"])
def test_faster_rcnn_learns_as_torchvisions_does(dtype: torch.dtype, objects: tuple[int, ...]):
    twins = with_equal_weights(rcnn_twins(), dtype)
    images, targets = some_images(2, SIZE, dtype), some_targets(objects, SIZE, dtype)
    assert_same_losses_and_gradients(twins, images, targets, FASTER_LOSSES)


# -------------------------------------------------------------------------------------------------- Mask R-CNN


@PRECISIONS
def test_mask_rcnn_finds_what_torchvisions_finds(dtype: torch.dtype):
    twins = with_equal_weights(rcnn_twins(masks=True), dtype)
    assert_same_detections(twins, some_images(2, SIZE, dtype), ["boxes", "scores", "labels", "masks"])


@PRECISIONS
@pytest.mark.parametrize("objects", [(3, 1), (2, 0)], ids=["objects", "an_empty_image"])
def test_mask_rcnn_learns_as_torchvisions_does(dtype: torch.dtype, objects: tuple[int, ...]):
    twins = with_equal_weights(rcnn_twins(masks=True), dtype)
    images, targets = some_images(2, SIZE, dtype), some_targets(objects, SIZE, dtype)
    assert_same_losses_and_gradients(twins, images, targets, (*FASTER_LOSSES, "loss_mask"))


# --------------------------------------------------------------------------------------------------------- SSD


@pytest.mark.slow
@SSD_PRECISIONS
def test_ssd300_finds_what_torchvisions_finds(dtype: torch.dtype):
    twins = with_equal_weights(ssd_twins(), dtype)
    assert_same_detections(twins, some_images(2, 300, dtype), ["boxes", "scores", "labels"])


@pytest.mark.slow
@SSD_PRECISIONS
def test_ssd300_learns_as_torchvisions_does(dtype: torch.dtype):
    twins = with_equal_weights(ssd_twins(), dtype)
    images, targets = some_images(2, 300, dtype), some_targets((3, 0), 300, dtype)
    assert_same_losses_and_gradients(twins, images, targets, ("bbox_regression", "classification"))


def shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(key, value.shape) for key, value in net.state_dict().items()]
