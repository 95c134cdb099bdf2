"""easy-vqa is read out of its package, which is not imported, and its absence is told."""

import sys
from importlib.metadata import PackageNotFoundError

import pytest
import torch

from torchworks.hybrid_multimodal.data import easy_vqa
from torchworks.hybrid_multimodal.data.easy_vqa import open_easy_vqa
from torchworks.hybrid_multimodal.data.questions import questions_in
from torchworks.hybrid_multimodal.questions.baselines import baselines
from torchworks.shared.config import ImageConfig, UserError


def test_easy_vqa_has_its_published_parts_and_a_table_of_questions_answers_two_of_three():
    source = open_easy_vqa("", ImageConfig(image_size=16), 0)
    assert "easy_vqa" not in sys.modules
    asked = [[each for row in questions_in(part) for each in row if each] for part in (source.train, source.test)]
    assert [*map(len, asked)] == [38575, 9673]
    assert (len(source.train), len(source.test)) == (4000, 1000)
    assert len(source.schema["answer"].classes) == 13
    found = baselines(source.train, source.test)
    assert found["accuracy_majority"] == pytest.approx(0.373, abs=1e-3)
    assert found["accuracy_without_picture"] == pytest.approx(0.670, abs=1e-3)
    assert found["accuracy_without_question"] < found["accuracy_without_picture"]


def test_where_the_package_is_not_installed_the_extra_is_named(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(easy_vqa, "distribution", absent)
    with pytest.raises(UserError, match=r"hybrid-multimodal\[vqa\]"):
        open_easy_vqa("", ImageConfig(), 0)
    with pytest.raises(UserError, match="takes nothing after a colon"):
        open_easy_vqa("train", ImageConfig(), 0)


def test_pixels_of_the_files_stay_as_they_are():
    source = open_easy_vqa("", ImageConfig(image_size=64), 0)
    assert source.train[0]["image"].dtype == torch.uint8
    assert source.train[0]["image"].shape == (3, 64, 64)
    assert len(source.train[0]["image"].flatten(1).unique(dim=1).T) < 200  # one shape on a flat ground
