"""Parts of a source: the classes and the number of images that were asked for, and nothing else."""

import pytest
import torch

from torchworks.cnn_vision.data.subset import with_classes, with_shots
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import labels_of, open_source, resident


@pytest.fixture(scope="module")
def digits():
    return open_source("digits", ImageConfig(image_size=8))


def test_only_the_classes_asked_for_are_left_in_the_order_given(digits):
    part = with_classes(digits, ("7", "3"))
    assert part.schema["label"].classes == ("7", "3")
    for ours, whole in ((part.train, digits.train), (part.test, digits.test)):
        labels = labels_of(ours)
        assert labels.bincount().tolist() == [int((labels_of(whole) == k).sum()) for k in (7, 3)]
        images = {image.numpy().tobytes() for image in resident(whole).tensors["image"][labels_of(whole) == 7]}
        seven = [ours[i]["image"].numpy().tobytes() for i in range(len(ours)) if ours[i]["label"] == 0]
        assert set(seven) == images
        assert torch.equal(resident(ours).tensors["label"], labels)


def test_so_many_training_images_of_each_class_are_chosen_by_the_seed(digits):
    few, again, others = with_shots(digits, 5, 0), with_shots(digits, 5, 0), with_shots(digits, 5, 1)
    assert labels_of(few.train).bincount().tolist() == [5] * 10
    assert len(few.test) == len(digits.test)
    assert few.train.indices == again.train.indices != others.train.indices
    assert len(with_shots(digits, 10**6, 0).train) == len(digits.train)


def test_classes_and_shots_go_together(digits):
    part = with_shots(with_classes(digits, ("5", "6")), 3, 0)
    assert labels_of(part.train).bincount().tolist() == [3, 3]
    assert torch.equal(labels_of(part.train), resident(part.train).tensors["label"])


def test_an_unknown_class_is_named_with_those_that_are_there(digits):
    with pytest.raises(UserError, match=r"no class '12'.*0, 1, 2"):
        with_classes(digits, ("1", "12"))
