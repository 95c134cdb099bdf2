"""What every detector promises: padded and ragged outputs agree, images stand for themselves, states load, programs
exported by torch.export and ONNX find the same boxes, and a net learns a picture by heart."""

import copy
import functools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from torchworks.cnn_vision.models.boxes import BoxCoder, draw, match
from torchworks.cnn_vision.models.dense import create_detector
from torchworks.cnn_vision.models.detector import Detections, Detector, suppress
from torchworks.cnn_vision.models.mask_rcnn import MaskRCNN, paste

NAMES = ("fasterrcnn_resnet20_fpn", "maskrcnn_resnet20_fpn", "ssd_resnet20", "yolo_resnet20")
EACH = pytest.mark.parametrize("name", NAMES)
LONG = [pytest.param(name, marks=pytest.mark.long) for name in NAMES]
EXPORTED = pytest.mark.parametrize("name", [LONG[0], *NAMES[1:]])
CONVERTED = pytest.mark.parametrize("name", [LONG[0], NAMES[1], *LONG[2:]])
"""Mask R-CNN has all that Faster R-CNN has, and its suppression is everyone's."""
LOUDER = {
    "cls_score": 30.0,
    "rpn.head.cls_logits": 30.0,
    "classification_head": 0.1,
    "head.cls_logits.weight": 10.0,
    "head.cls_logits.bias": 0.0,
}
"""Factors of new weights that make scores differ. Scores that are all next to 1 round to the same number, and of equal
scores each runtime may put another one first."""
SIZE = 96


def some_net(name: str, seed: int = 0) -> Detector:
    """New weights, with classifiers that have various opinions."""
    torch.manual_seed(seed)
    net = create_detector(name, num_classes=4).eval()
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            parameter.mul_(next((factor for part, factor in LOUDER.items() if part in key), 1.0))
    return net


def some_images(count: int = 3) -> Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def target_of(boxes: list[list[int]], labels: list[int], size: int = SIZE) -> dict[str, Tensor]:
    """Masks are the whole boxes."""
    masks = torch.zeros(len(boxes), size, size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return {"boxes": torch.tensor(boxes).float(), "labels": torch.tensor(labels), "masks": masks}


TWO = target_of([[10, 12, 40, 50], [50, 40, 90, 80]], [1, 3])
EVERY_SIZE = target_of(
    [[60, 5, 75, 20], [10, 12, 40, 50], [50, 40, 90, 80], [20, 25, 74, 80], [4, 4, 92, 92]], [2, 1, 3, 2, 1]
)
NOTHING = {
    "boxes": torch.zeros(0, 4),
    "labels": torch.zeros(0, dtype=torch.long),
    "masks": torch.zeros(0, SIZE, SIZE, dtype=torch.bool),
}


class Detect(nn.Module):
    def __init__(self, net: Detector):
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.net.detect(images)


# -------------------------------------------------------------------------------------------------- outputs


@EACH
@torch.no_grad()
def test_padded_detections_are_the_ragged_ones_and_rows_without_one_have_score_0_and_label_minus_1(name: str):
    net, images = some_net(name), some_images()
    boxes, scores, labels, *masks = net.detect(images)
    assert boxes.shape == (3, net.max_detections, 4)
    assert bool(masks) == isinstance(net, MaskRCNN)
    for i, found in enumerate(net(images)):
        count = len(found["scores"])
        assert count > 0
        assert torch.equal(boxes[i, :count], found["boxes"])
        assert torch.equal(scores[i, :count], found["scores"])
        assert torch.equal(labels[i, :count], found["labels"])
        assert not scores[i, count:].any()
        assert (labels[i, count:] == -1).all()
        assert (found["labels"] >= net.first_label).all()
        assert (found["scores"].diff() <= 0).all()
        if masks:
            assert torch.equal(masks[0][i, :count], found["masks"].squeeze(1))


@EACH
@torch.no_grad()
def test_what_is_found_in_an_image_does_not_depend_on_the_others(name: str):
    net, images = some_net(name), some_images()
    together = net(images)
    for image, expected in zip(images, together, strict=True):
        [alone] = net(image[None])
        torch.testing.assert_close(alone, expected, atol=1e-4, rtol=1e-4)


@EACH
@torch.no_grad()
def test_a_state_dict_is_the_whole_net_and_so_is_a_deep_copy(name: str):
    net, other, images = some_net(name), some_net(name, seed=1), some_images()
    other.load_state_dict(net.state_dict(), strict=True)
    for twin in (other, copy.deepcopy(net)):
        assert all(torch.equal(a, b) for a, b in zip(net.detect(images), twin.detect(images), strict=True))


@EACH
@torch.no_grad()
def test_nothing_found_is_no_error(name: str):
    net = some_net(name)
    for key, parameter in net.named_parameters():
        if "cls_score" in key or "classification_head" in key:
            parameter.zero_()
            if key.endswith("bias"):
                parameter.view(-1, 4)[:, 0] = 20.0  # of the background
        if key == "head.cls_logits.bias":
            parameter.fill_(-20.0)  # there is no background
    assert [len(found["boxes"]) for found in net(some_images())] == [0, 0, 0]
    assert (net.detect(some_images())[2] == -1).all()


# ------------------------------------------------------------------------------------------------- training


@EACH
@pytest.mark.parametrize(
    "targets",
    [(EVERY_SIZE, TWO), (TWO, NOTHING), (NOTHING, NOTHING)],
    ids=["objects", "one_empty", "all_empty"],
)
def test_every_parameter_learns_also_beside_images_without_objects(name: str, targets: tuple):
    net = some_net(name).train()
    losses = net(some_images(2), targets)
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    assert torch.isfinite(total)
    for key, parameter in net.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), key
        if targets[0] is EVERY_SIZE:
            assert parameter.grad is not None, key
            assert parameter.grad.any(), key


@EACH
def test_losses_in_bfloat16_are_near_those_in_float32_and_coordinates_stay_exact(name: str):
    net, images, targets = some_net(name).train(), some_images(2), [TWO, EVERY_SIZE]
    torch.manual_seed(0)
    exact = net.losses(images, targets)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        rough = net.losses(images, targets)
    for key, value in rough.items():
        assert value.dtype == torch.float32
        assert float((value - exact[key]).detach().abs()) <= 0.25 * max(1.0, float(exact[key].detach())), key


@pytest.mark.slow
@EACH
def test_a_picture_is_learnt_by_heart(name: str):
    torch.manual_seed(0)
    net = create_detector(name, num_classes=4)
    target = target_of([[6, 8, 28, 34], [32, 28, 60, 52]], [1, 3], size=64)
    images = 0.1 * torch.randn(2, 3, 64, 64)
    images[:, 0] += target["masks"][0]
    images[:, 1] += target["masks"][1]
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for _ in range(50):
        optimizer.zero_grad()
        torch.stack(list(net.losses(images, [target, target]).values())).sum().backward()
        optimizer.step()
    found = net.eval()(images)[0]
    for box, label in zip(target["boxes"], target["labels"], strict=True):
        best = found["boxes"][found["labels"] == label][0]
        assert (best - box).abs().max() < 6, (box, best)


# --------------------------------------------------------------------------------------------------- export


@functools.cache
def exported(name: str) -> torch.export.ExportedProgram:
    """Of `some_net`, for any number of images."""
    dynamic = ({0: torch.export.Dim("images", min=1)},)
    return torch.export.export(Detect(some_net(name)), (some_images(2),), dynamic_shapes=dynamic)


@pytest.mark.slow
@EXPORTED
@pytest.mark.filterwarnings("ignore:`create_unbacked_symint` is deprecated:FutureWarning")
@torch.no_grad()
def test_an_exported_program_finds_the_same_boxes_in_any_number_of_images(name: str):
    net, program = Detect(some_net(name)), exported(name).module()
    for count in (1, 3):
        for mine, expected in zip(program(some_images(count)), net(some_images(count)), strict=True):
            torch.testing.assert_close(mine, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@CONVERTED
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@torch.no_grad()
def test_onnx_runtime_finds_the_same_boxes_in_any_number_of_images(name: str, tmp_path: Path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    program = torch.onnx.export(exported(name), (), dynamo=True, verbose=False)
    assert program is not None
    program.save(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    net, [given] = Detect(some_net(name)), session.get_inputs()
    for count in (1, 3):
        images = some_images(count)
        for found, expected in zip(session.run(None, {given.name: images.numpy()}), net(images), strict=True):
            torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-3, rtol=1e-3)


# --------------------------------------------------------------------------------------------------- pieces


def test_the_box_coder_is_undone_by_its_inverse():
    generator = torch.Generator().manual_seed(0)
    boxes, anchors = torch.rand(2, 50, 4, dtype=torch.float64, generator=generator) * 40
    boxes[:, 2:] += boxes[:, :2] + 1
    anchors[:, 2:] += anchors[:, :2] + 1
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    torch.testing.assert_close(coder.decode(coder.encode(boxes, anchors), anchors), boxes)


def test_anchors_between_the_two_thresholds_are_left_out_and_each_object_keeps_its_best():
    iou = torch.tensor([[0.8, 0.5, 0.1, 0.2], [0.1, 0.2, 0.0, 0.25]])  # (objects, anchors)
    assert match(iou, 0.3, 0.7).tolist() == [0, -2, -1, -1]
    assert match(iou, 0.3, 0.7, keep_best=True).tolist() == [0, -2, -1, 1]
    assert match(iou[:0], 0.3, 0.7, keep_best=True).tolist() == [-1] * 4


def test_a_draw_has_at_most_its_share_of_objects_and_fills_up_with_background():
    labels = torch.tensor([1] * 10 + [0] * 50 + [-1] * 20)
    for count, fraction, expected in ((16, 0.25, (4, 12)), (40, 0.5, (10, 30)), (100, 0.5, (10, 50))):
        positive, negative = draw(labels, count, fraction)
        assert (int(positive.sum()), int(negative.sum())) == expected
        assert (labels[positive] == 1).all()
        assert (labels[negative] == 0).all()


def test_boxes_suppress_only_worse_ones_of_their_own_class_and_image():
    box = [10.0, 10.0, 20.0, 20.0]
    boxes = torch.tensor([box, box, box, box, [50.0, 50.0, 60.0, 60.0]])
    scores = torch.tensor([0.5, 0.9, 0.4, 0.3, 0.2])
    image, label = torch.tensor([0, 0, 0, 1, 0]), torch.tensor([1, 1, 2, 1, 1])
    options = {"threshold": 0.5, "images": 2, "side": 64}
    assert suppress(boxes, scores, image, label, top=9, **options).tolist() == [1, 2, 4, 3]
    assert suppress(boxes, scores, image, label, top=2, **options).tolist() == [1, 2, 3]


def test_an_image_without_detections_is_a_row_of_padding():
    found = Detections(torch.tensor([1]), torch.ones(1, 4), torch.tensor([0.5]), torch.tensor([3]))
    boxes, scores, labels = found.padded(3, 2)
    assert labels.tolist() == [[-1, -1], [3, -1], [-1, -1]]
    assert scores.tolist() == [[0, 0], [0.5, 0], [0, 0]]
    assert boxes.sum((1, 2)).tolist() == [0, 4, 0]


def test_a_full_mask_fills_its_box_to_a_pixel():
    pasted = paste(torch.ones(1, 28, 28), torch.tensor([[4.0, 6.0, 20.0, 14.0]]), (24, 32))[0]
    inside = torch.zeros(24, 32, dtype=torch.bool)
    inside[5:16, 3:22] = True
    assert (pasted[7:14, 5:20] > 0.5).all()
    assert not (pasted > 0.5)[~inside].any()
