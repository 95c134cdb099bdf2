"""The package's README and the documents beside it tell the truth: their commands parse, their examples run, their
pictures are there and small."""

import re
import shlex
from pathlib import Path

import pytest
import tyro
from PIL import Image

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared.cli import check_command
from torchworks.shared.config import ImageConfig, find_recipe, recipes

FOLDER = Path(__file__).parents[1]
TEXTS = {path: path.read_text() for path in (FOLDER / "README.md", *sorted((FOLDER / "docs").glob("*.md")))}
LARGEST = 200_000
"""Bytes of a picture beside the documents."""


def blocks(language):
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [block for text in TEXTS.values() for block in pattern.findall(text)]


LINES = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("cnn-vision ")])
def test_every_command_is_one_that_can_be_given(line):
    _, name, *words = shlex.split(line)
    if name != "train":
        tyro.cli({"check": check_command(ImageConfig), **COMMANDS}[name].arguments, args=words)
        return
    recipe = find_recipe("cnn-vision", words.pop(0))()
    tyro.cli(type(recipe), default=recipe, args=words)


@pytest.mark.parametrize("line", [line for line in LINES if "RECIPE=" in line])
def test_every_recipe_is_one_that_can_be_trained(line):
    assert find_recipe("cnn-vision", line.partition("RECIPE=")[2].split()[0])


def test_every_recipe_is_shown():
    everything = "\n".join(TEXTS.values())
    for name in set(recipes("cnn-vision")) - {"classify"}:
        assert re.search(rf"RECIPE={name}\b", everything)


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_python_examples_run(number):
    exec(blocks("python")[number], {})


def test_links_lead_somewhere():
    for path, text in TEXTS.items():
        for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^):]+)\)", text):
            assert (path.parent / link.partition("#")[0]).exists()


def test_the_pictures_are_there_and_small():
    pictures = [(path, found) for path, text in TEXTS.items() for found in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)]
    assert pictures
    for path, found in pictures:
        file = path.parent / found
        assert FOLDER not in file.resolve().parents or file.stat().st_size < LARGEST
        with Image.open(file) as picture:
            assert picture.width >= 300
