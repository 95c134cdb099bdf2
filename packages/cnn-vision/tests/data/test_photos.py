"""The bundled sources `photos` and `styles`, and users' image files."""

import pytest
from PIL import Image

from torchworks.cnn_vision.data.photos import TEST, TRAIN, open_image, photograph
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source


def test_photographs_of_the_test_part_are_never_seen():
    assert not set(TRAIN) & set(TEST)
    source = open_source("photos", ImageConfig(image_size=16))
    assert source.train[0]["image"].shape == (3, 16, 16)
    assert open_source("styles", ImageConfig(image_size=16)).schema == source.schema


def test_pictures_are_brought_to_size_upright_and_in_color(tmp_path):
    file = tmp_path / "grey.png"
    Image.new("L", (100, 50), 7).save(file)
    assert open_image(str(file), 32).shape == (3, 32, 64)
    assert photograph("china.jpg", 32).shape[1] == 32
    Image.new("L", (1000, 10)).save(file)
    with pytest.raises(UserError, match="crop it first"):
        open_image(str(file), 32)
