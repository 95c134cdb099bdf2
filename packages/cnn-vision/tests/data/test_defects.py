"""The bundled source `defects`: masks that fit the defects, the same data for the same seed."""

import numpy as np
import pytest
import torch

from torchworks.cnn_vision.data.defects import KINDS, SIDE, TEXTURES, open_defects
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source


def test_defects_are_where_their_masks_say_and_the_same_for_the_same_seed():
    config = ImageConfig(image_size=SIDE)
    source, again = open_defects("brick", config, 0), open_defects("brick", config, 0)
    test = source.test.tensors
    assert source.schema["label"].classes == ("good", *KINDS)
    assert not source.train.tensors["label"].any()
    assert torch.equal(test["mask"].flatten(1).any(1), test["label"] > 0)
    assert torch.equal(test["image"], again.test.tensors["image"])
    assert source.fingerprint != open_defects("brick", config, 1).fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_changes_what_its_mask_covers_and_little_else(kind):
    rng = np.random.default_rng(0)
    plain = rng.normal(128, 20, (SIDE, SIDE))
    changed, cover = KINDS[kind](plain, rng)
    difference = np.abs(changed - plain)
    assert difference[cover > 0.5].mean() > 8 * difference[cover < 0.5].mean()


def test_an_unknown_texture_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="Did you mean 'gravel'"):
        open_source("defects:gravvel", ImageConfig())


def test_all_textures_can_be_had_in_one_set():
    every, one = (open_defects(name, ImageConfig(image_size=SIDE), 0) for name in ("all", "grass"))
    assert len(every.test) == len(TEXTURES) * len(one.test)
