"""YOLO's pieces by hand: where its points are, which of them learn an object, and what they learn to say."""

import math

import pytest
import torch
from torch import Tensor

from torchworks.cnn_vision.models.dense import create_detector
from torchworks.cnn_vision.models.yolo import YOLO, YOLOConfig, align, contains, grid_points, quality_focal_loss

NONE = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)


def row_of_points() -> Tensor:
    """Five points at x = 4, 12, 20, 28, 36."""
    return torch.tensor([[4.0, 4.0], [12.0, 4.0], [20.0, 4.0], [28.0, 4.0], [36.0, 4.0]])


def boxes_around(points: Tensor, reach: float = 4.0) -> Tensor:
    return torch.cat([points - reach, points + reach], 1)


def test_points_are_the_middles_of_the_places_of_each_map():
    points, strides = grid_points([(2, 2), (1, 1)], (16, 16), like=torch.zeros(1))
    assert points.tolist() == [[4, 4], [12, 4], [4, 12], [12, 12], [8, 8]]
    assert strides.tolist() == [8, 8, 8, 8, 16]


def test_a_point_is_inside_a_box_between_its_sides():
    inside = contains(torch.tensor([[8.0, 0.0, 24.0, 8.0]]), row_of_points())
    assert inside.tolist() == [[False, True, True, False, False]]


def test_the_points_of_largest_alignment_learn_an_object_and_the_best_says_its_overlap():
    """An object from x = 8 to 24, of class 1; boxes of 8 × 8, so those inside cover half of it: IoU 0.5 each. Scores
    of 0.8 and 0.4 make the alignments 0.8 · 0.5⁶ and 0.4 · 0.5⁶, so the second point says half of what the first
    says."""
    points = row_of_points()
    scores = torch.tensor([[0.0, 0.9], [0.0, 0.8], [0.9, 0.4], [0.0, 0.9], [0.0, 0.9]])
    objects, labels = torch.tensor([[8.0, 0.0, 24.0, 8.0]]), torch.tensor([1])
    index, quality = align(scores, boxes_around(points), points, objects, labels, YOLOConfig())
    assert index.tolist() == [-1, 0, 0, -1, -1]
    assert quality.tolist() == pytest.approx([0, 0.5, 0.25, 0, 0])
    index, quality = align(scores, boxes_around(points), points, objects, labels, YOLOConfig(positives=1))
    assert index.tolist() == [-1, 0, -1, -1, -1]


def test_a_point_that_two_objects_want_learns_the_one_it_overlaps_most():
    points = row_of_points()
    objects = torch.tensor([[8.0, 0.0, 40.0, 8.0], [8.0, 0.0, 16.0, 8.0]])
    index, _ = align(torch.full((5, 2), 0.5), boxes_around(points), points, objects, torch.tensor([0, 1]), YOLOConfig())
    assert index.tolist() == [-1, 1, 0, 0, 0]


def test_an_object_too_small_to_hold_a_point_is_learnt_by_the_nearest():
    points = row_of_points()
    objects = torch.tensor([[13.0, 2.0, 15.0, 4.0]])
    index, quality = align(
        torch.full((5, 1), 0.5), boxes_around(points), points, objects, torch.tensor([0]), YOLOConfig()
    )
    assert index.tolist() == [-1, 0, -1, -1, -1]
    assert quality[1] == pytest.approx(4 / 64)  # the IoU of 2 × 2 pixels in 8 × 8


def test_without_objects_every_point_is_background():
    points = row_of_points()
    index, quality = align(torch.rand(5, 3), boxes_around(points), points, *NONE, YOLOConfig())
    assert index.tolist() == [-1] * 5
    assert not quality.any()


def test_the_quality_focal_loss_is_cross_entropy_times_the_squared_error():
    """At a score of ½: BCE = log 2 whatever the quality; off by ½, 0 and ½."""
    loss = quality_focal_loss(torch.zeros(3), torch.tensor([0.0, 0.5, 1.0]))
    assert loss.tolist() == pytest.approx([math.log(2) / 4, 0, math.log(2) / 4])


def some_yolo() -> YOLO:
    torch.manual_seed(0)
    net = create_detector("yolo_resnet20", num_classes=3)
    assert isinstance(net, YOLO)
    return net


def test_a_new_net_sees_next_to_nothing_and_its_boxes_are_four_strides_wide():
    net, images = some_yolo().eval(), torch.zeros(1, 3, 64, 64)
    logits, boxes, points = net.predict(images)
    assert boxes.shape == (1, 64 + 16 + 4, 4)
    torch.testing.assert_close(logits.sigmoid().mean(), torch.tensor(0.01), atol=0.005, rtol=0)
    sides = (boxes[0, :, 2:] - boxes[0, :, :2]).mean(1)
    for part, stride in zip(sides.split([64, 16, 4]), (8, 16, 32), strict=True):
        assert part.mean().item() == pytest.approx(4 * stride, rel=0.2)
    assert contains(boxes[0], points).diagonal().all()


def test_seeing_something_in_a_region_to_ignore_is_no_mistake():
    """With everything ignored and nothing there, there is nothing to learn."""
    net, images = some_yolo().eval(), torch.randn(1, 3, 64, 64)
    boxes, labels = NONE
    empty = {"boxes": boxes, "labels": labels}
    ignored = {**empty, "ignored": torch.tensor([[0.0, 0.0, 64.0, 64.0]])}
    assert float(net.losses(images, [empty])["classification"].detach()) > 0
    assert float(net.losses(images, [ignored])["classification"].detach()) == 0
