"""Augmentations: what they do to an image, and that they do it to each one on its own."""

import pytest
import torch
from torchvision.transforms import v2

from torchworks.shared.config import UserError
from torchworks.shared.data import (
    ResidentLoader,
    TensorDataset,
    affine,
    alternating_flip,
    brightness,
    contrast,
    cutout,
    flip,
    random_augment,
    shift,
    torchvision_transform,
)
from torchworks.shared.numbers.stream import SampleRandom

ALL = [flip(), alternating_flip(), shift(3), affine(10, 0.1, 0.1), cutout(4), brightness(0.2), contrast(0.2)]


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
def test_what_happens_to_a_picture_does_not_depend_on_its_neighbors(change):
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


@pytest.mark.parametrize("size", [1, 2])
def test_images_smaller_than_the_shift_are_moved_by_less_than_they_have(size):
    images = torch.arange(300.0 * size * size).view(300, 1, size, size)
    for new, old in zip(shift(3)(images, chance(300)), images, strict=True):
        assert set(new.flatten().tolist()) <= set(old.flatten().tolist())


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


def mirrored(images: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    back, same = ((result == other).flatten(1).all(1) for other in (images.flip(-1), images))
    assert (back ^ same).all()
    return back


def test_alternating_flip_shows_every_picture_both_ways_in_two_epochs():
    images, change = pictures(1000), alternating_flip()
    first, second, third = (mirrored(images, change(images, chance(1000, epoch))) for epoch in range(3))
    assert 430 < first.sum() < 570
    assert torch.equal(second, ~first)
    assert torch.equal(third, first)
    other = mirrored(images, change(images, SampleRandom(1, 0, torch.arange(1000))))
    assert 430 < (other ^ first).sum() < 570


def test_alternating_flip_alternates_in_the_epochs_of_a_loader():
    data = TensorDataset({"image": torch.randint(0, 256, (8, 1, 4, 4), dtype=torch.uint8)})
    stream = ResidentLoader(data, 8, augment=[alternating_flip()]).iter_from(0)
    first, second = (dict(zip(b["index"].tolist(), b["image"], strict=True)) for b in (next(stream), next(stream)))
    assert all(torch.equal(first[i].flip(-1), second[i]) for i in range(8))


def eight_bit(count: int, channels: int) -> torch.Tensor:
    """Normalized images as a loader gives them."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, 12, 12), dtype=torch.uint8, generator=generator) / 127.5 - 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("magnitude", [0, 9, 30])
def test_rand_augment_changes_grey_and_color_pictures_each_on_its_own(channels, magnitude):
    images, change = eight_bit(60, channels), random_augment(magnitude, 2)
    state = torch.get_rng_state()
    whole = change(images, chance(60))
    assert torch.equal(torch.get_rng_state(), state)
    assert (whole.shape, whole.dtype) == (images.shape, images.dtype)
    assert whole.abs().max() <= 1
    rows = torch.tensor([50, 4, 7])
    assert torch.equal(change(images[rows], SampleRandom(0, 0, rows)), whole[rows])
    assert not torch.equal(change(images, chance(60, epoch=1)), whole)


def test_rand_augment_is_torchvision_s():
    images = eight_bit(1, 3)
    result = random_augment(12, 3)(images, chance(1))
    high, low = (chance(1).uniform(2).double()[0] * 2**24).long().tolist()
    torch.manual_seed(high << 24 | low)
    pixels = ((images[0] + 1) * 127.5).round().to(torch.uint8)
    expected = v2.RandAugment(num_ops=3, magnitude=12)(pixels)
    torch.testing.assert_close(result[0], expected / 127.5 - 1)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    shifted = ((images + 1) / 2 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    again = random_augment(12, 3, mean=mean, std=std)(shifted, chance(1))[0]
    torch.testing.assert_close(
        again * torch.tensor(std).view(3, 1, 1) + torch.tensor(mean).view(3, 1, 1), expected / 255
    )


def test_a_transform_that_does_nothing_keeps_every_value_a_loader_gives():
    data = TensorDataset({"image": torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)})
    batch = next(iter(ResidentLoader(data, 4)))["image"]
    assert torch.allclose(torchvision_transform(v2.Identity())(batch, chance(4)), batch, atol=3e-7)


@pytest.mark.parametrize(("magnitude", "layers"), [(31, 2), (-1, 2), (9, 0)])
def test_rand_augment_beyond_its_scale_is_a_user_s_mistake(magnitude, layers):
    with pytest.raises(UserError, match="magnitudes go from 0 to 30"):
        random_augment(magnitude, layers)


@pytest.mark.gpu
def test_a_gpu_picks_the_same_operations_as_the_processor():
    images = eight_bit(30, 3)
    on_gpu = torchvision_transform(v2.RandomHorizontalFlip())(
        images.cuda(), SampleRandom(0, 0, torch.arange(30, device="cuda"))
    )
    assert torch.equal(on_gpu.cpu(), torchvision_transform(v2.RandomHorizontalFlip())(images, chance(30)))
