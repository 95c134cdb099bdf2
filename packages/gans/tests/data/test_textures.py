"""The source `textures`: squares of three photographs, of which no pixel is in both parts."""

import numpy as np
import pytest
from skimage.data import brick

from torchworks.gans.data.textures import CUT, all_squares, random_squares
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source


def test_it_has_squares_of_three_textures_at_the_size_that_is_asked_for():
    source = open_source("textures", ImageConfig(image_size=32))
    assert source.schema["label"].classes == ("brick", "grass", "gravel")
    assert (len(source.train), len(source.test)) == (1200, 3 * 5 * 29)
    sample = source.train[0]
    assert sample["image"].shape == (1, 32, 32)
    assert sample["label"] == 0


def test_no_pixel_is_in_both_parts_and_squares_are_those_of_the_photograph():
    place = np.arange(512 * 512).reshape(512, 512)
    for side in (64, 128):
        train = random_squares(place[:CUT], side, 50, np.random.default_rng(0))
        test = all_squares(place[CUT:], side)
        assert train.max() < test.min()
        assert test.max() == place.max()
    pixels = brick()
    square = random_squares(pixels, 64, 1, np.random.default_rng(1))[0, 0]
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (64, 64))
    assert (windows == square).all(axis=(2, 3)).any()


def test_the_seed_chooses_training_squares_alone():
    first, other = (open_source("textures:grass", ImageConfig(image_size=16), seed=seed) for seed in (0, 1))
    assert not np.array_equal(first.train.images, other.train.images)
    assert np.array_equal(first.test.images, other.test.images)
    assert first.name == "textures:grass"


def test_an_unknown_texture_is_refused():
    with pytest.raises(UserError, match=r"no texture 'gras'\. Did you mean 'grass'"):
        open_source("textures:gras", ImageConfig())
