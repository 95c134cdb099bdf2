"""The package's README tells the truth: its commands parse, its recipes are there, its files are too."""

import re
import shlex
from pathlib import Path

import pytest
import tyro

from torchworks.seq_models.commands import COMMANDS
from torchworks.shared.cli import check_command
from torchworks.shared.config import find_recipe, recipes

FOLDER = Path(__file__).parents[1]
TEXT = (FOLDER / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


LINES = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("seq-models ")])
def test_every_command_is_one_that_can_be_given(line):
    _, name, *words = shlex.split(line)
    if name == "train":
        recipe = find_recipe("seq-models", words.pop(0))()
        tyro.cli(type(recipe), default=recipe, args=words)
    elif name != "list":
        loader = type(find_recipe("seq-models", "lm")().loader)
        tyro.cli({"check": check_command(loader), **COMMANDS}[name].arguments, args=words)


@pytest.mark.parametrize("line", [line for line in LINES if "RECIPE=" in line])
def test_every_recipe_is_one_that_can_be_trained(line):
    assert find_recipe("seq-models", line.partition("RECIPE=")[2].split()[0])


def test_every_recipe_is_in_the_table_of_scores():
    for name in recipes("seq-models"):
        assert re.search(rf"^\| `{name}` \|", TEXT, re.MULTILINE), name


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_python_examples_run(number):
    exec(blocks("python")[number], {})


def test_the_files_that_it_names_are_there():
    source = FOLDER / "src" / "torchworks" / "seq_models"
    named = [name for row in re.findall(r"^\| (`[^|]*\.py`[^|]*) \|", TEXT, re.MULTILINE) for name in row.split(", ")]
    assert named
    for name in named:
        assert list(source.rglob(name.strip("`").rpartition("/")[2])), name
