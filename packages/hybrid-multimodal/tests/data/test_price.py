"""The source `price`: what its rows cost, and what neither picture nor row says alone."""

import pytest
import torch

from torchworks.hybrid_multimodal.data.price import DAYS, UNITS, open_price
from torchworks.hybrid_multimodal.data.price_columns import columns_of
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import resident


@pytest.fixture(scope="module")
def source():
    return open_price("train=300,test=20", ImageConfig(), 0)


def test_a_row_costs_what_picture_and_columns_say(source):
    for i in (0, 7, 299):
        row = {name: value.item() for name, value in source.train[i].items() if name != "image"}
        unit, day = list(UNITS.values())[row["unit"] - 1], list(DAYS.values())[row["day"] - 1]
        price = row["number"] * unit * row["rate"] * (1 - row["discount"]) * day
        assert row["target"] == pytest.approx(price, rel=1e-5)
        assert 1 <= row["number"] <= 99


def test_rows_drawn_at_once_are_those_drawn_alone(source):
    whole = resident(source.train).tensors
    for name, value in source.train[5].items():
        torch.testing.assert_close(value, whole[name][5])


def test_no_model_sees_the_number_that_is_written(source):
    columns = columns_of(source.schema, "price")
    assert columns.numbers == ("rate", "discount")
    assert [*columns.categories] == ["unit", "day", "shop"]


def test_pictures_have_the_size_that_is_asked_for():
    assert open_price("train=2,test=2", ImageConfig(image_size=24), 0).train[0]["image"].shape == (1, 24, 24)


def test_options_that_it_has_not_are_refused():
    with pytest.raises(UserError, match="has no option"):
        open_price("rows=3", ImageConfig(), 0)
