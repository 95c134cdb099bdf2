"""The commands and examples of the READMEs are run, so that what a newcomer copies works."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchworks.gans.commands import COMMANDS
from torchworks.shared.cli import main

ROOT = Path(__file__).parents[1]
READMES = ["README.md", "packages/gans/README.md"]
"""Those whose commands are run in the order that they show."""
PAGES = [*READMES, "shared/README.md", "CONTRIBUTING.md"]
SHORT = "--trainer.steps 12 --trainer.eval-every 0"
RUN_OF = {
    "gans": "cgan-mnist-mnist5k",
    "gans RECIPE=cyclegan": "cyclegan-digits-printed-digits",
    "gans RECIPE=srresnet": "srresnet-photo-crops",
}
"""Trainings whose runs later commands use, by what stands behind `make train-`."""


def blocks(readme: str, language: str) -> list[str]:
    text = (ROOT / readme).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(readme: str) -> list[str]:
    lines = [line.split("  #")[0].strip() for block in blocks(readme, "sh") for line in block.splitlines()]
    return [line for line in lines if line]


def surroundings(**variables: str) -> dict[str, str]:
    """What an activated environment gives to commands."""
    outer = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return outer | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **variables}


def run(command: str, cwd: Path, **variables: str) -> str:
    environment = surroundings(**variables)
    done = subprocess.run(command, shell=True, cwd=cwd, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def images_in(folder: Path) -> None:
    """Sixty small color images in two classes."""
    random = np.random.default_rng(0)
    for name, hue in (("red", 0), ("green", 1)):
        (folder / name).mkdir(parents=True)
        for number in range(30):
            pixels = random.integers(0, 80, (40, 40, 3), dtype=np.uint8)
            pixels[..., hue] += 150
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def train(command: str, out: Path) -> None:
    """A `make train-…` of the README, with few steps, into a run directory of its own."""
    short = f"{SHORT} --pretrain-steps 5" if "transfer" in command else SHORT
    printed = run(command, ROOT, ARGS=f"{short} --out {out}")
    assert printed.splitlines()[-1] == str(out)


@pytest.mark.slow
@needs_make
def test_the_commands_of_the_readmes_work_in_the_order_they_are_shown(tmp_path, monkeypatch):
    """Those of `gans` in this process: importing torch anew for each would take longer than all they do. What both
    pages show is run once."""
    images_in(tmp_path / "my-images")
    for name, folder in RUN_OF.items():
        train(f"make train-{name}", tmp_path / "runs" / "gans" / folder / "001")
    monkeypatch.chdir(tmp_path)
    shown = [line for readme in reversed(READMES) for line in commands(readme) if line.startswith("gans ")]
    assert any(line.startswith("gans translate ") for line in shown)
    for command in dict.fromkeys(shown):
        short = f"{command} {SHORT}" if re.match(r"gans train \w", command) else command
        words = shlex.split(re.sub(r"steps 6000$", "steps 14", short))[1:]
        assert main("gans", default="dcgan", commands=COMMANDS, arguments=words) == 0, command
    assert list((tmp_path / "printed").glob("*.png"))


TRAININGS = {readme: [line for line in commands(readme) if line.startswith("make train-")] for readme in READMES}
OTHERS = {line for readme in READMES for line in TRAININGS[readme] if line[len("make train-") :] not in RUN_OF}


@pytest.mark.slow
@needs_make
@pytest.mark.parametrize("command", sorted(OTHERS))
def test_every_other_training_of_the_readme_works(command, tmp_path):
    train(command, tmp_path / "run")


def test_the_trainings_that_later_commands_use_are_shown():
    assert {f"make train-{name}" for name in RUN_OF} <= set(TRAININGS["packages/gans/README.md"])
    assert "make train-gans" in TRAININGS["README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_make_command_exists(page):
    for command in commands(page):
        if command.startswith("make "):
            targets = [word for word in command.split()[1:] if "=" not in word]
            run(f"make --dry-run {' '.join(targets)}", ROOT)


EXAMPLES = [(page, number) for page in PAGES for number in range(len(blocks(page, "python")))]


@pytest.mark.parametrize(("page", "number"), EXAMPLES)
def test_the_python_examples_run(page, number, tmp_path):
    example = blocks(page, "python")[number]
    (tmp_path / "example.py").write_text(example)
    printed = run(f"{sys.executable} example.py", tmp_path)
    if "result.scores" in example:
        assert float(re.search(r"[\d.]+", printed)[0]) > 0.95
    if "print(same)" in example:
        assert printed == "True\n"


def pictures(text: str) -> list[str]:
    """The images that a page shows, in Markdown or as HTML."""
    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text) + re.findall(r'<img src="([^"]+)"', text)


@pytest.mark.parametrize("readme", READMES)
def test_the_pictures_of_the_readme_are_there(readme):
    file = ROOT / readme
    found = pictures(file.read_text())
    assert found
    for path in found:
        with Image.open(file.parent / path) as picture:
            assert picture.width >= 300


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    file = ROOT / page
    for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^):]+)\)", file.read_text()):
        assert (file.parent / link.partition("#")[0]).exists(), link
