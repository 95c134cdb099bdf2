"""The fields that a recipe asks for, and images held out of the training part."""

import torch

from torchworks.shared.config import ImageConfig
from torchworks.shared.data import TensorDataset, held_out, open_source
from torchworks.shared.data.fields import Fields, open_fields


def test_equal_images_are_held_out_together():
    images = torch.randint(0, 256, (10, 3, 4, 4), dtype=torch.uint8)
    images = torch.cat([images, images])
    rest, valid = held_out(TensorDataset({"image": images}), 0.3, seed=0)
    assert {i % 10 for i in rest.indices}.isdisjoint(i % 10 for i in valid.indices)
    assert len(rest) + len(valid) == 20


def test_fields_that_are_not_asked_for_are_left_out():
    source = open_source("scenes:train=2,test=1", ImageConfig(image_size=16))
    schema = open_fields("scenes:train=1,test=1", ImageConfig(image_size=16), 0, ("image", "mask")).schema
    assert set(Fields(source.train, schema)[0]) == {"image", "mask"}
