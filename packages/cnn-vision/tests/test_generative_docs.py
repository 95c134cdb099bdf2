"""The documents beside the README tell the truth: their commands parse, their pictures are there and small."""

import re
import shlex
from pathlib import Path

import pytest
import tyro
from PIL import Image

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared.config import find_recipe

FOLDER = Path(__file__).parents[1] / "docs"
NAMES = ("autoencoders", "anomaly", "style")
TEXTS = {name: (FOLDER / f"{name}.md").read_text() for name in NAMES}
LINES = [line.split("  #")[0].strip() for text in TEXTS.values() for line in text.splitlines()]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("cnn-vision ")])
def test_every_command_is_one_that_can_be_given(line):
    _, name, *words = shlex.split(line)
    if name != "train":
        tyro.cli(COMMANDS[name].arguments, args=words)
        return
    recipe = find_recipe("cnn-vision", words.pop(0))()
    tyro.cli(type(recipe), default=recipe, args=words)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make train-cnn-vision ")])
def test_every_recipe_is_one_that_can_be_trained(line):
    assert find_recipe("cnn-vision", line.partition("RECIPE=")[2])


@pytest.mark.parametrize("name", NAMES)
def test_the_pictures_are_there_and_small(name):
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXTS[name])
    assert pictures
    for path in pictures:
        assert (FOLDER / path).stat().st_size < 200_000
        with Image.open(FOLDER / path) as picture:
            assert picture.width >= 300
