"""What the recipes say of data without images."""

import pytest

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared.cli import main
from torchworks.shared.config import recipes

OTHERWISE = ("transfer", "features")
"""Recipes that first ask for a pretrained model, or learn from their own photographs alone."""


@pytest.mark.usefixtures("manual")
@pytest.mark.parametrize("recipe", [name for name in recipes("cnn-vision") if name not in OTHERWISE])
def test_data_without_images_are_a_mistake_of_the_user_s(recipe, tmp_path, capsys):
    words = ["train", recipe, "--data", "manual", "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main("cnn-vision", default="classify", commands=COMMANDS, arguments=words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "This recipe needs images; 'manual' has tokens." in said
