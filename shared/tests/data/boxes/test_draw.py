"""Boxes, masks and depth as people see them."""

import numpy as np
import torch
from PIL import Image

from torchworks.shared.data.boxes.draw import draw_boxes, draw_depth, draw_mask
from torchworks.shared.data.boxes.sample import IGNORED, NOTHING, VOID


def test_boxes_are_drawn_in_the_color_of_their_class_with_names_that_do_not_lie_on_each_other():
    picture = Image.new("RGB", (200, 100), "black")
    boxes = torch.tensor([[50.0, 40, 90, 80], [52, 41, 92, 81], [0, 0, 200, 100], [10, 10, 20, 20]])
    draw_boxes(picture, boxes, [0, 0, IGNORED, NOTHING], ["thing"], [0.9, 0.8, 0, 0])
    pixels = np.asarray(picture)
    red = (pixels == (255, 38, 38)).all(2)
    assert red[60, 50]
    assert red[60, 51]
    assert (pixels[0, 100] == 150).all()
    assert not pixels[15, 10].any()
    assert red[25:40].sum() > 300
    assert red[81:96].sum() > 300  # the second name went below


def test_masks_leave_the_background_as_it_is_and_depth_is_brightest_near():
    mask = torch.tensor([[0, 1], [2, VOID]])
    drawn = np.asarray(draw_mask(Image.new("RGB", (2, 2), "white"), mask, [(0, 0, 0), (255, 0, 0), (0, 0, 255)], 1.0))
    assert drawn.tolist() == [[[255] * 3, [255, 0, 0]], [[0, 0, 255], [150] * 3]]
    depth = np.asarray(draw_depth(torch.tensor([[0.0, 2.0, 50.0]]), (3, 1)))
    assert not depth[0, 0].any()
    assert depth[0, 1, 0] > depth[0, 2, 0]
