"""The command `models` measures, prints and writes the table of architectures."""

import re
from pathlib import Path

import pytest

from torchworks.cnn_vision import list_models
from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared.cli import main

OURS = Path(__file__).parents[2] / "README.md"
README = "# Mine\n\n<!-- models -->\nold\n<!-- /models -->\n\nThe end.\n"


def models(*words: str | Path) -> int:
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=["models", *map(str, words)])


def test_the_table_in_the_packages_readme_has_every_architecture():
    _, _, rest = OURS.read_text().partition("<!-- models -->")
    names = re.findall(r"^\| `(\w+)` \|", rest.partition("<!-- /models -->")[0], re.MULTILINE)
    assert names == list_models(), "run `cnn-vision models --parity --add --readme packages/cnn-vision/README.md`"


@pytest.fixture
def two_architectures(monkeypatch: pytest.MonkeyPatch):
    names = ["mobilenet_v3_small", "resnet20"]
    monkeypatch.setattr("torchworks.cnn_vision.studies.model_table.list_models", lambda: names)


@pytest.mark.usefixtures("two_architectures")
def test_sizes_and_measured_parity_are_written_between_the_markers(tmp_path: Path):
    path = tmp_path / "README.md"
    path.write_text(README)
    for _ in range(2):  # a second run replaces the table of the first
        assert models("--parity", "--readme", path) == 0
    text = path.read_text()
    assert text.startswith("# Mine\n\n<!-- models -->\n1000 classes")
    assert text.endswith("|\n<!-- /models -->\n\nThe end.\n")
    assert f"`cnn-vision models --parity --readme {path}` with torch 2." in text
    assert text.count("| `mobilenet_v3_small` | 2.5 | 0.06 | 0 | 0 | 0 |\n") == 1
    assert "| `resnet20` | 0.3 | 2.00 | – | – | – |\n" in text
    assert "old" not in text


@pytest.mark.usefixtures("two_architectures")
def test_adding_measures_what_the_table_lacks_and_keeps_the_rest(tmp_path: Path):
    path = tmp_path / "README.md"
    kept = "| `mobilenet_v3_small` | as | it | was | measured | before |\n"
    path.write_text(README.replace("old\n", kept))
    assert models("--parity", "--add", "--readme", path) == 0
    text = path.read_text()
    assert kept in text
    assert "| `resnet20` | 0.3 | 2.00 | – | – | – |\n" in text


@pytest.mark.usefixtures("two_architectures")
def test_adding_needs_a_table(capsys):
    assert models("--add") == 2
    assert "needs --parity and --readme FILE" in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("two_architectures")
@pytest.mark.parametrize(("content", "message"), [(None, "cannot be read"), ("# Mine\n", "has no place for the table")])
def test_a_file_without_a_place_for_the_table_is_refused_and_kept(tmp_path: Path, capsys, content, message):
    path = tmp_path / "README.md"
    if content:
        path.write_text(content)
    assert models("--readme", path) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert path.read_text() == content if content else not path.exists()
