"""The command `models`: the nets of the package, and the table of differences."""

from pathlib import Path

import pytest

from torchworks.diffusion.models.commands import COMMANDS
from torchworks.diffusion.models.parity import ORACLES
from torchworks.diffusion.models.registry import list_models
from torchworks.shared.cli import main

BEFORE, AFTER = "# Models\n\n<!-- models -->\n", "<!-- /models -->\nThe end.\n"


def run(*words: object) -> int:
    return main("diffusion", "flow", COMMANDS, ["models", *map(str, words)])


@pytest.fixture
def one_oracle(monkeypatch: pytest.MonkeyPatch):
    """All others are compared by test_parity.py."""
    for name in [name for name in ORACLES if name != "text encoder"]:
        monkeypatch.delitem(ORACLES, name)


def test_every_net_is_listed_with_what_it_is(capsys: pytest.CaptureFixture):
    assert run() == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in list_models())


@pytest.mark.slow
def test_the_table_replaces_what_stands_between_the_markers(tmp_path: Path, one_oracle: None):
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEFORE}an old table\n{AFTER}", encoding="utf-8")
    assert run("--parity", "--readme", readme) == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(BEFORE)
    assert text.endswith(AFTER)
    assert "old table" not in text
    (row,) = [line for line in text.splitlines() if line.startswith("| `text encoder`")]
    _, _, oracle, keys, outputs32, outputs64, gradients64, exported, onnx, smallest, _ = map(str.strip, row.split("|"))
    assert (oracle, keys, smallest) == ("torch.nn.TransformerEncoder", "28", "L ≥ 1")
    assert max(map(float, (outputs64, gradients64))) < 1e-9
    assert max(map(float, (outputs32, exported, onnx))) < 1e-5


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ("no markers", ["--parity"], "has no place for the table. Put the lines <!-- models -->"),
        (BEFORE + AFTER, [], "--readme writes the table of differences, which needs --parity too"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_the_measuring(
    tmp_path: Path, capsys: pytest.CaptureFixture, content: str, words: list[str], said: str
):
    readme = tmp_path / "README.md"
    readme.write_text(content, encoding="utf-8")
    assert run(*words, "--readme", readme) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert readme.read_text(encoding="utf-8") == content
