"""Augmentations: what they do to a picture, and that they do it to each one on its own."""

import pytest
import torch

from torchworks.shared.data import affine, brightness, contrast, cutout, flip, shift
from torchworks.shared.random import SampleRandom

ALL = [flip(), shift(3), affine(10, 0.1, 0.1), cutout(4), brightness(0.2), contrast(0.2)]


def chance(count: int, epoch: int = 0) -> SampleRandom:
    return SampleRandom(0, epoch, torch.arange(count))


def pictures(count: int = 64, channels: int = 2, height: int = 8, width: int = 10) -> torch.Tensor:
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("change", ALL)
def test_shape_and_type_stay_and_the_input_is_not_touched(change):
    images = pictures()
    kept = images.clone()
    result = change(images, chance(64))
    assert (result.shape, result.dtype) == (images.shape, images.dtype)
    assert torch.equal(images, kept)
    assert not torch.equal(result, images)


@pytest.mark.parametrize("change", ALL)
def test_what_happens_to_a_picture_does_not_depend_on_its_neighbours(change):
    images = pictures()
    whole = change(images, chance(64))
    rows = torch.tensor([5, 40, 3])
    assert torch.allclose(change(images[rows], SampleRandom(0, 0, rows)), whole[rows], atol=1e-6)
    assert not torch.equal(change(images, chance(64, epoch=1)), whole)


def test_flip_mirrors_about_half_of_the_pictures_and_leaves_the_others():
    images = pictures(1000)
    result = flip()(images, chance(1000))
    mirrored = (result == images.flip(-1)).flatten(1).all(1)
    untouched = (result == images).flatten(1).all(1)
    assert (mirrored ^ untouched).all()
    assert 430 < mirrored.sum() < 570


def test_shift_moves_by_whole_pixels_as_far_as_asked_and_reflects():
    images = pictures(300)
    result = shift(2)(images, chance(300))
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    moves = [(padded[:, :, y : y + 8, x : x + 10] == result).flatten(1).all(1) for y in range(5) for x in range(5)]
    assert (torch.stack(moves).sum(0) == 1).all()
    assert torch.stack(moves).any(1).all()


def test_affine_of_nothing_is_nothing():
    images = pictures()
    assert torch.allclose(affine()(images, chance(64)), images, atol=1e-5)


def test_affine_turns_within_its_limit():
    line = torch.full((200, 1, 33, 33), -1.0)
    line[:, :, 16] = 1.0
    turned = affine(degrees=20)(line, chance(200))
    place = torch.arange(33.0)
    left, right = (((turned[:, 0, :, x] + 1) * place).sum(1) / (turned[:, 0, :, x] + 1).sum(1) for x in (8, 24))
    degrees = torch.rad2deg(torch.atan((right - left) / 16))
    assert 15 < degrees.abs().max() < 21
    assert degrees.min() < -15
    assert degrees.max() > 15


def test_cutout_blanks_at_most_the_square_it_was_given():
    images = pictures(200).abs() + 1
    blank = (cutout(4)(images, chance(200)) == 0).all(1)
    assert blank.sum((1, 2)).max() == 16
    assert (blank.sum((1, 2)) >= 4).all()


def test_brightness_moves_all_pixels_alike_and_contrast_keeps_the_mean():
    images = pictures()
    difference = (brightness(0.3)(images, chance(64)) - images).flatten(1)
    assert (difference.amax(1) - difference.amin(1)).max() < 1e-5
    assert 0.25 < difference.abs().max() <= 0.3
    stretched = contrast(0.3)(images, chance(64))
    assert torch.allclose(stretched.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-5)
    factor = stretched.std((1, 2, 3)) / images.std((1, 2, 3))
    assert 0.7 <= factor.min() < 0.75
    assert 1.25 < factor.max() <= 1.3
