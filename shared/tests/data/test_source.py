"""What a source that somebody else brought is held to before anything is trained on it."""

import re
from dataclasses import replace

import pytest
import torch

from torchworks.shared.config import UserError
from torchworks.shared.data import Field, Schema, Source, TensorDataset
from torchworks.shared.data.source import check_samples

SCHEMA = Schema((Field("image", "image", (1, 4, 4)), Field("label", "label", (), ("a", "b"))))
RIGHT = {"image": torch.zeros(2, 1, 4, 4, dtype=torch.uint8), "label": torch.tensor([0, 1])}


class Given:
    """Samples as they are given, whatever the schema says."""

    def __init__(self, sample, schema=SCHEMA):
        self.sample, self.schema = sample, schema

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return self.sample


def source(train, test=None) -> Source:
    right = TensorDataset(RIGHT, SCHEMA)
    return Source("mine", "CC0", train, test or right, SCHEMA, "0" * 16)


def test_a_source_that_keeps_to_its_schema_passes():
    check_samples("mine", source(TensorDataset(RIGHT, SCHEMA)))
    check_samples("mine", replace(source(TensorDataset(RIGHT, SCHEMA)), schema=Schema(())))


def test_rows_of_a_ragged_field_may_be_shorter():
    schema = Schema((Field("series", "series", (9, 2), ragged=True),))
    check_samples("mine", source(Given({"series": torch.zeros(3, 2)}, schema)))
    with pytest.raises(UserError, match=re.escape("should be a tensor, float32 (L, 2)")):
        check_samples("mine", source(Given({"series": torch.zeros(3, 5)}, schema)))


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({"image": RIGHT["image"][0]}, "'label' of the first sample of the training part is not there"),
        ({"image": RIGHT["image"][0], "label": 1}, "'label' .* is of type int, but should be a tensor, int64 ()"),
        (
            {"image": RIGHT["image"][0] / 255, "label": RIGHT["label"][0]},
            "is float32 (1, 4, 4), but",
        ),
        ({"image": RIGHT["image"][0, 0], "label": RIGHT["label"][0]}, "is uint8 (4, 4), but"),
    ],
)
def test_a_sample_that_is_none_is_named_at_once(sample, said):
    with pytest.raises(UserError, match=re.escape(said).replace(r"\.\*", ".*")):
        check_samples("mine", source(Given(sample)))
    with pytest.raises(UserError, match="of the test part"):
        check_samples("mine", source(TensorDataset(RIGHT, SCHEMA), Given(sample)))


def test_a_function_that_returns_something_else_is_told():
    with pytest.raises(UserError, match="'mine' returned tuple"):
        check_samples("mine", (1, 2))
