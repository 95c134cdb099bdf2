"""The package's README tells the truth: its commands parse, its examples run, its pictures are there."""

import re
import shlex
from pathlib import Path

import pytest
import tyro
from PIL import Image

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared.cli import CHECK
from torchworks.shared.config import find_recipe, recipes

FOLDER = Path(__file__).parents[1]
README = (FOLDER / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


LINES = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("cnn-vision ")])
def test_every_command_is_one_that_can_be_given(line):
    _, name, *words = shlex.split(line)
    if name != "train":
        tyro.cli({"check": CHECK, **COMMANDS}[name].arguments, args=words)
        return
    recipe = find_recipe("cnn-vision", words.pop(0))()
    tyro.cli(type(recipe), default=recipe, args=words)


def test_every_recipe_is_shown():
    for name in set(recipes("cnn-vision")) - {"classify"}:
        assert f"RECIPE={name}" in README


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_python_examples_run(number):
    exec(blocks("python")[number], {})


def test_the_pictures_are_there():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures
    for path in pictures:
        with Image.open(FOLDER / path) as picture:
            assert picture.width >= 300
