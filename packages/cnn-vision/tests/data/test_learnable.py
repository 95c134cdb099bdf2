"""Data in which nothing can be learned are refused before the first step; classes that no score counts are named."""

import pytest
import torch

from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, Schema, TensorDataset
from torchworks.shared.data.boxes.sample import IGNORED, NOTHING, VOID
from torchworks.shared.data.learnable import check_learnable, classes_in, unscored


def labelled(*labels: int) -> TensorDataset:
    schema = Schema((Field("label", "label", (), ("cat", "dog", "fox")),))
    return TensorDataset({"label": torch.tensor(labels)}, schema)


def boxed(*labels: list[int]) -> TensorDataset:
    fields = (Field("boxes", "boxes", (2,), ("cat", "dog")), Field("box_label", "label", (2,)))
    tensors = {"boxes": torch.zeros(len(labels), 2, 4), "box_label": torch.tensor(labels)}
    return TensorDataset(tensors, Schema(fields))


def masked(*classes: int) -> TensorDataset:
    """An image of two pixels for every two classes."""
    schema = Schema((Field("mask", "mask", (1, 2), ("background", "cell", "nucleus")),))
    return TensorDataset({"mask": torch.tensor(classes, dtype=torch.uint8).view(-1, 1, 2)}, schema)


@pytest.mark.parametrize(
    ("train", "field", "reason"),
    [
        (labelled(1, 1, 1), "label", "all of them have the same class"),
        (boxed([NOTHING, NOTHING], [IGNORED, NOTHING]), "box_label", "none of them shows an object"),
        (masked(0, VOID, 0, 0), "mask", "all their pixels are of one class or to be ignored"),
        (masked(VOID, VOID), "mask", "all their pixels are of one class or to be ignored"),
    ],
)
def test_what_teaches_nothing_is_refused_with_the_reason(train: Dataset, field: str, reason: str):
    with pytest.raises(UserError, match=r"Nothing can be learned from the \d training images of mine") as refused:
        check_learnable(train, "mine", field)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("train", "field"),
    [
        (labelled(1, 2), "label"),
        (boxed([IGNORED, NOTHING], [1, NOTHING]), "box_label"),
        (masked(0, VOID, 2, 2), "mask"),
    ],
)
def test_the_least_that_teaches_something_passes(train: Dataset, field: str):
    check_learnable(train, "mine", field)


def test_classes_that_no_test_image_has_are_named():
    said = "Classes that no test image has, which no score counts: 1 ({})."
    assert unscored([labelled(0, 1, 0)], "label") == [said.format("fox")]
    assert unscored([labelled(0, 1), labelled(2)], "label") == []
    assert unscored([boxed([1, IGNORED])], "box_label") == [said.format("cat")]
    assert unscored([masked(0, 1)], "mask") == [said.format("nucleus")]


def test_images_that_must_be_decoded_are_looked_at_no_longer_than_needed():
    class Lazy:
        schema = masked(0, 1).schema

        def __len__(self):
            return 10

        def __getitem__(self, i):
            assert i < 2, "two classes were found before"
            return {"mask": torch.full((1, 2), i, dtype=torch.uint8)}

    assert classes_in(Lazy(), "mask", stop_at=2) == {0, 1}
