"""The bundled source of planted lesions: its patches, its masks and its split."""

import numpy as np
import pytest
import torch

from torchworks.cnn_vision.data import lesions
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source


@pytest.fixture(scope="module")
def patches():
    """(photograph, images, masks) of a small test part."""
    photo = lesions._photograph()
    return photo, *lesions.draw_patches(photo, (lesions.BORDER, len(photo)), 40, np.random.default_rng(0))


def test_patches_of_the_two_parts_share_no_pixel():
    border, end = lesions.BORDER, 1411
    above = lesions._places((0, border), 300, np.random.default_rng(0))
    below = lesions._places((border, end), 300, np.random.default_rng(0))
    assert above[:, 0].max() + lesions.SIDE <= border <= below[:, 0].min()


def test_every_patch_lies_within_the_lit_field_of_view(patches):
    _, images, _ = patches
    assert images.max(-1).min() > 40


def test_each_kind_is_in_its_share_of_patches_and_its_mask_is_never_empty(patches):
    _, _, masks = patches
    assert masks.shape == (40, 3, 48, 48)
    assert masks.any((2, 3)).sum(0).tolist() == [6, 6, 6]


def test_the_same_seed_draws_the_same_patches_and_another_seed_others(patches):
    photo, images, _ = patches
    rows = (lesions.BORDER, len(photo))
    again, _ = lesions.draw_patches(photo, rows, 40, np.random.default_rng(0))
    other, _ = lesions.draw_patches(photo, rows, 40, np.random.default_rng(1))
    assert np.array_equal(images, again)
    assert not np.array_equal(images, other)


def test_lesions_are_what_the_mask_says(patches):
    """Exudates are lighter than the tissue around them in the green, the others darker."""
    _, images, masks = patches
    for k, sign in ((0, 1), (1, -1), (2, -1)):
        inside, around = [], []
        for i in np.flatnonzero(masks[:, k].any((1, 2)) & (masks.any((2, 3)).sum(1) == 1)):
            inside.append(images[i, ..., 1][masks[i, k]].mean())
            around.append(images[i, ..., 1][~masks[i, k]].mean())
        assert sign * (np.mean(inside) - np.mean(around)) > 0


def test_the_source_is_found_by_its_name_and_fits_the_size_asked_for(monkeypatch):
    monkeypatch.setattr(lesions, "TRAIN", 20)
    monkeypatch.setattr(lesions, "TEST", 14)
    source = open_source("lesions", ImageConfig(image_size=24, channels=1))
    label = source.schema["label"]
    assert (label.shape, label.classes) == ((3,), ("exudate", "microaneurysm", "haemorrhage"))
    sample = source.test[0]
    assert sample["image"].shape == (1, 24, 24)
    assert sample["label"].dtype == torch.uint8
    masks = source.test.tensors["mask"]
    assert masks.shape == (14, 3, 24, 24)
    assert torch.equal(masks.amax((2, 3)), source.test.tensors["label"])
    assert source.fingerprint == open_source("lesions", ImageConfig(image_size=48)).fingerprint


def test_an_unknown_source_is_told_of_those_that_packages_offer():
    with pytest.raises(UserError, match=r"Did you mean 'lesions'\? Known: digits, .*lesions"):
        open_source("lesion", ImageConfig())
    with pytest.raises(UserError, match="takes nothing after a colon"):
        open_source("lesions:mine", ImageConfig())
