"""Columns of a user's table: which are numbers, which categories, and what is said of those that are neither."""

import numpy as np
import pytest

from torchworks.shared.data.mixed_columns import MISSING, plain_names, tensors_of, told_columns
from torchworks.shared.data.rounding import is_coarse
from torchworks.shared.data.text_tables import read_cells


def test_words_for_nothing_make_a_number_missing_and_no_category():
    cells = {"age": ["31", "NA", "NaN", "", "40", "null"], "city": ["NA", "Ulm", "NA", "Ulm", "NA", "Ulm"]}
    columns, notes = told_columns(cells, ())
    assert (columns.numbers, [*columns.categories], notes) == (("age",), ["city"], [])
    rows = [{name: column[i] for name, column in cells.items()} for i in range(6)]
    tensors = tensors_of(rows, columns)
    assert tensors["age"].tolist() == [31, MISSING, MISSING, MISSING, 40, MISSING]
    assert "NA" in columns.categories["city"]


@pytest.mark.parametrize(
    "cells", [["3,5", "4,25"], ["1,000.50", "12"], ["$ 12", "$ 14.5"], ["12 %", "9 %"], ["€5", "€6"]]
)
def test_numbers_as_people_write_them_are_left_out_by_name(cells):
    columns, notes = told_columns({"price": [*cells, ""] * 20}, ())
    assert not columns.names
    assert "price (numbers that are written otherwise than 1234.5" in notes[0]


def test_dates_and_names_are_no_numbers():
    columns, _ = told_columns({"day": ["31.12.2024", "01.01.2025"] * 20, "code": ["A-1", "B-2"] * 20}, ())
    assert [*columns.categories] == ["day", "code"]


def test_numbers_that_float32_cannot_tell_apart_are_left_out_by_name():
    draw = np.random.default_rng(0).normal(size=50)
    assert is_coarse(1e9 + draw)
    assert not is_coarse(np.array([*(1000 + draw), np.nan]))
    assert not is_coarse(np.full(9, 1e9 + 0.5))
    columns, notes = told_columns({"a": [f"{1e9 + x:.3f}" for x in draw], "b": [f"{x:.3f}" for x in draw]}, ())
    assert columns.numbers == ("b",)
    assert "a (differs by too little for numbers of about 1e+09" in notes[0]


def test_a_name_for_the_model_does_not_depend_on_the_order_of_columns():
    names = ["年龄", "收入", "Größe", "a b", "a-b", "a_b", "label", "Café"]
    found = plain_names(names, ("label",))
    assert plain_names(names[::-1], ("label",)) == found
    assert len({*found.values()}) == len(names)
    assert (found["Café"], found["label"]) == ("cafe", "label_")


def test_lines_of_json_may_each_have_other_columns(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"Age": 3}\n{"City": "Ulm", "Age": 4}\n')
    assert read_cells(file, ()) == [(1, {"age": "3", "city": ""}), (2, {"age": "4", "city": "Ulm"})]
