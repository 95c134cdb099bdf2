"""The source `faces`: half of scikit-image's file, split without overlap."""

import numpy as np
import pytest
from skimage.data import lfw_subset

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source
from torchworks.shared.data.dataset import resident


def all_images(spec: str) -> np.ndarray:
    source = open_source(spec, ImageConfig(image_size=25))
    return np.concatenate([resident(part).tensors["image"].numpy() for part in (source.train, source.test)])


def test_it_has_the_first_hundred_images_which_are_faces_each_once():
    source = open_source("faces", ImageConfig(image_size=25))
    assert (len(source.train), len(source.test)) == (80, 20)
    assert "label" not in source.schema
    wanted = {image.tobytes() for image in np.rint(lfw_subset()[:100] * 255).astype(np.uint8)}
    found = {image.tobytes() for image in all_images("faces")}
    assert len(found) == 100
    assert found == wanted


def test_all_has_two_classes_of_a_hundred():
    source = open_source("faces:all", ImageConfig(image_size=28, channels=3))
    assert source.schema["label"].classes == ("other", "face")
    assert source.schema["image"].shape == (3, 28, 28)
    labels = np.concatenate([resident(part).tensors["label"].numpy() for part in (source.train, source.test)])
    assert np.bincount(labels).tolist() == [100, 100]
    assert len(all_images("faces:all")) == 200


def test_its_contents_and_not_the_size_decide_the_split():
    small, large = (open_source("faces", ImageConfig(image_size=size)).fingerprint for size in (16, 64))
    assert small == large
    assert small != open_source("faces", ImageConfig(image_size=16), seed=1).fingerprint


def test_any_other_word_behind_the_colon_is_refused():
    with pytest.raises(UserError, match="'faces:some' was given"):
        open_source("faces:some", ImageConfig())
