"""The package's README tells the truth: its commands parse, its recipes are there, its files are too."""

from pathlib import Path

import pytest

from torchworks.rl.commands import COMMANDS
from torchworks.shared.config import find_recipe
from torchworks.shared.testing_readme import blocks, check_command_line, command_lines, missing_files, missing_recipes

FOLDER = Path(__file__).parents[1]
TEXT = (FOLDER / "README.md").read_text()
LINES = command_lines(TEXT)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("rl ")])
def test_every_command_is_one_that_can_be_given(line):
    check_command_line(line, "rl", COMMANDS, default="ppo")


@pytest.mark.parametrize("line", [line for line in LINES if "RECIPE=" in line])
def test_every_recipe_is_one_that_can_be_trained(line):
    assert find_recipe("rl", line.partition("RECIPE=")[2].split()[0])


def test_every_recipe_is_in_the_table_of_scores():
    assert not missing_recipes(TEXT, "rl")


@pytest.mark.parametrize("number", range(len(blocks(TEXT, "python"))))
def test_the_python_examples_run(number):
    exec(blocks(TEXT, "python")[number], {})


def test_the_files_that_it_names_are_there():
    assert not missing_files(TEXT, FOLDER / "src" / "torchworks" / "rl")
