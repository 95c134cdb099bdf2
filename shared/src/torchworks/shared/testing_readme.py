"""What a package's README promises: its commands can be given, its recipes are there, its examples run, its files
exist."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import tyro

from torchworks.shared.cli import Command, check_command
from torchworks.shared.config import find_recipe, recipes


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def command_lines(text: str) -> list[str]:
    """The lines of its blocks of shell commands, without what follows two spaces and a #."""
    return [line.split("  #")[0].strip() for block in blocks(text, "sh") for line in block.splitlines()]


def check_command_line(line: str, package: str, commands: Mapping[str, Command], default: str) -> None:
    """Raise `SystemExit` or `UserError` unless the command of `package` takes these words. `default` is a recipe that
    reads such data as `check` does."""
    _, name, *words = shlex.split(line)
    if name == "train" and words[0] != "--resume":
        recipe = find_recipe(package, words.pop(0))()
        tyro.cli(type(recipe), default=recipe, args=words)
    elif name not in ("list", "train"):
        loader = type(find_recipe(package, default)().loader)
        tyro.cli({"check": check_command(loader), **commands}[name].arguments, args=words)


def missing_recipes(text: str, package: str) -> list[str]:
    """Recipes that have no row in a table of the README."""
    return [name for name in recipes(package) if not re.search(rf"^\| `{name}` \|", text, re.MULTILINE)]


def missing_files(text: str, source: Path) -> list[str]:
    """Files and folders named in the first column of its tables that are not in `source`."""
    rows = re.findall(r"^\| (`[^|]*(?:\.py|/)`[^|]*) \|", text, re.MULTILINE)
    names = [name.strip("`") for row in rows for name in row.split(", ")]
    assert names, "the README names no files"
    return [name for name in names if not list(source.rglob(name.rstrip("/").rpartition("/")[2]))]
