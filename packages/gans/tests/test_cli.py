"""The command line: quick to answer, clear when it cannot."""

import subprocess
import sys
from dataclasses import fields

import pytest

from torchworks.gans.commands import COMMANDS
from torchworks.shared.cli import main

RECIPES = [
    *("biggan", "cgan", "cgan-mnist", "cyclegan", "dcgan", "dcgan-mnist", "dcgan-paper", "esrgan", "face-swap"),
    *("infogan", "pix2pix", "r3gan", "srgan", "srresnet", "srresnet-x2", "stylegan2", "stylegan2-mnist"),
    *("swap-detector", "wgan-gp"),
]
HELP = [["--help"], ["list"], ["train", "dcgan", "--help"], *([name, "--help"] for name in COMMANDS)]


def gans(*words):
    return main("gans", default="cgan-mnist", commands=COMMANDS, arguments=[str(word) for word in words])


def test_help_never_imports_torch():
    script = (
        "import sys; from torchworks.gans.commands import COMMANDS; from torchworks.shared.cli import main\n"
        f"codes = [main('gans', default='dcgan', commands=COMMANDS, arguments=words) for words in {HELP}]\n"
        "assert codes == [0] * len(codes), codes\n"
        "heavy = {'torch', 'numpy', 'PIL', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_module_exits_with_the_code_of_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "torchworks.gans", "smaple"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no command 'smaple'. Did you mean 'sample'?" in done.stderr


def test_the_overview_names_every_command_and_recipe_within_a_hundred_columns(capsys):
    assert gans("--help") == 0
    text = capsys.readouterr().out
    for name in ("list", "train", "check", *COMMANDS, *RECIPES):
        assert name in text
    rows = [line for line in text.splitlines() if line.startswith("  ")]
    assert max(map(len, rows)) <= 100


def test_the_package_trains_the_digits_of_mnist_unless_told_otherwise():
    done = subprocess.run(
        [sys.executable, "-m", "torchworks.gans", "--help"], capture_output=True, text=True, check=False
    )
    assert "train [RECIPE=cgan-mnist]" in done.stdout


def test_list_shows_every_recipe_and_marks_the_default(capsys):
    assert gans("list") == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if line and not line.startswith(" ")]
    assert headings == [f"{name} (default)" if name == "cgan-mnist" else name for name in RECIPES]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_shows_every_option_and_says_in_words_what_happens_without_it(name, capsys):
    assert gans(name, "--help") == 0
    text = capsys.readouterr().out
    for item in fields(COMMANDS[name].arguments):
        shown = item.name.upper() if item.name in ("run", "images") else f"--{item.name.replace('_', '-')}"
        assert shown in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "dcgen"], "Did you mean 'dcgan'"),
        (["train", "dcgan", "--trainer.stpes", "3"], "--trainer.steps"),
        (["sample", "RUN", "--interpolat", "3"], "--interpolate"),
        (["sample"], "RUN"),
        (["augment", "RUN", "--out", "x"], "--per-class"),
        (["translate", "RUN", "a.png", "--out", "x", "--direction", "up"], "ab"),
        (["sample", "RUN", "--n", "many"], "--n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_typing_errors_get_a_suggestion_and_exit_code_2(words, told, capsys):
    assert gans(*words) == 2
    captured = capsys.readouterr()
    assert told in captured.err + captured.out
    assert "Traceback" not in captured.err


@pytest.mark.usefixtures("manual")
@pytest.mark.parametrize("recipe", [name for name in RECIPES if name not in ("cyclegan", "face-swap", "swap-detector")])
def test_data_without_images_are_a_mistake_of_the_user_s(recipe, tmp_path, capsys):
    words = ["train", recipe, "--data", "manual", "--out", str(tmp_path / "run")]
    assert main("gans", default="dcgan", commands=COMMANDS, arguments=words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "This recipe needs images; 'manual' has tokens." in said


@pytest.mark.usefixtures("manual")
def test_both_domains_of_a_translation_need_images(tmp_path, capsys):
    assert gans("train", "cyclegan", "--data", "digits+manual", "--out", tmp_path / "run") == 2
    assert "'manual' has tokens" in " ".join(capsys.readouterr().err.split())
