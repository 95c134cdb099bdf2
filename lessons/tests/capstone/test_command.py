"""What somebody meets who starts the capstone, and what the page beside it says."""

import errno
import itertools
import json
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest
from report_page import check_page

from torchworks.lessons.capstone import __main__ as program
from torchworks.lessons.capstone import modelling
from torchworks.lessons.capstone.anatomy import FINDINGS
from torchworks.lessons.capstone.hospital import TABLE, admit, write_table
from torchworks.lessons.capstone.retrain import Plan, write_plan
from torchworks.lessons.capstone.scanners import OURS
from torchworks.lessons.capstone.service import Service
from torchworks.lessons.capstone.shell import PROGRAMS, Shell, shown, written
from torchworks.lessons.course import ROOT
from torchworks.shared import cli
from torchworks.shared.config import UserError

PAGE = (ROOT / "capstone.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.split()[0] in PROGRAMS
]


def test_a_folder_that_holds_something_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert program.main(["--out", str(tmp_path)]) == 2
    assert "nothing is replaced" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_each_run_gets_the_next_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [program.folder_for(None).name for _ in range(3)] == ["001", "002", "003"]
    assert program.folder_for(None).parent == tmp_path / "runs" / "capstone"


def test_no_seeds_is_a_slip_and_makes_no_folder(tmp_path, capsys):
    assert program.main(["--seeds", "0", "--out", str(tmp_path / "x")]) == 2
    assert "--seeds must be at least 1" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device. What was made"),
        (PermissionError(errno.EACCES, "Permission denied", "there"), "there: Permission denied. What was made"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "nobody reads any more"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--draw"]])
def test_a_full_disk_or_a_closed_pipe_is_one_paragraph(tmp_path, capsys, monkeypatch, error, says, options):
    def broken(*_):
        raise error

    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(modelling, "draw_data", broken)
    monkeypatch.setattr(modelling, "draw_folders", broken)
    assert program.main(["--out", str(tmp_path / "run"), *options]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    if isinstance(error, BrokenPipeError):
        sys.stdout.close()


def test_a_step_that_fails_is_one_paragraph_and_what_was_made_stays(tmp_path, capsys, monkeypatch):
    def broken(story):
        with story.step("Broken") as chapter:
            chapter.text("Until here.")
            story.run(chapter, "cnn-vision", "check", f"csv:{tmp_path / 'nothing.csv'}")

    monkeypatch.setattr(modelling, "draw_data", broken)
    assert program.main(["--out", str(tmp_path / "run")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("`cnn-vision check ")
    assert "ended with exit code 2: There is no file" in said
    report = (tmp_path / "run" / "report.html").read_text()
    assert "Until here." in report
    assert "This run ended early." in report
    check_page(report)
    assert "seconds" in json.loads((tmp_path / "run" / "facts.json").read_text())
    assert "There is no file" in next((tmp_path / "run" / "logs").iterdir()).read_text()


def test_commands_are_shown_as_they_are_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert written(["serving", "check", tmp_path / "a b"]) == "serving check 'a b'"
    assert written(["cnn-vision", "check", f"csv:{tmp_path}/x.csv"]) == "cnn-vision check csv:x.csv"


def test_a_path_that_begins_with_a_dash_is_not_an_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert written(["serving", "check", tmp_path / "-x"]) == "serving check ./-x"


@pytest.mark.parametrize("folder", ["plain", "a b", "it's $HOME"])
def test_a_shown_command_can_be_copied_as_it_stands(tmp_path, folder):
    service = Service(tmp_path / folder, tmp_path, tmp_path, tmp_path)
    command = service.curl("/chest/split", version="x" * 12, share=0.5)
    assert "\n" in shown(command)
    assert _words(shown(command)) == _words(command)
    assert [word for word in _words(command) if service.key in word] == [f"X-API-Key: {service.key}"]
    assert f"X-Admin-Token: {service.token}" in _words(command)
    assert '{"version": "xxxxxxxxxxxx", "share": 0.5}' in _words(command)
    assert _words(shown(service.command)) == _words(service.command)


def _words(command: str) -> list[str]:
    """What the shell makes of it."""
    script = "printf '%s\\n' " + command
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_retraining_program_survives_any_folder(tmp_path):
    folder = tmp_path / "it's a $HOME `x`"
    folder.mkdir()
    program = write_plan(folder, Plan("", "", "", "", []), "echo")
    said = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert said.strip().endswith(f"--retrain {folder / 'retrain.json'}")


def test_the_page_asks_the_administrator_s_addresses_with_key_and_token():
    asked = [line for line in PAGE.splitlines() if line.startswith("curl ") and "/admin/" in line]
    assert len(asked) >= 4
    for line in asked:
        assert '"X-API-Key: $(cat xrays/api-key)"' in line
        assert '"X-Admin-Token: $(cat xrays/admin-token)"' in line


def test_the_page_s_python_runs_from_the_first_request_to_the_interval(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder, first, patients in (("normal", 1, 4), ("drifted", 2, 300)):
        rows = admit(tmp_path / "xrays" / folder, OURS, {"test": 4}, first)
        write_table(tmp_path / "xrays" / folder / TABLE, [row for row in rows for _ in range(patients // 2)])
    (tmp_path / "xrays" / "api-key").write_text("key\n")
    versions = itertools.cycle(["VERSION", "other"])

    class Model:
        def predict(self, image):
            found = SimpleNamespace(probabilities=dict.fromkeys(FINDINGS, 0.5))
            return type("Answer", (list,), {"version": next(versions)})([found])

    class Client:
        def __init__(self, url, api_key):
            assert api_key == "key"

        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda self, *_: None  # noqa: E731
        model = lambda self, name: Model()  # noqa: E731

    monkeypatch.setattr("torchworks.serving.client.Client", Client)
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), {})
    *_, one, other, interval = capsys.readouterr().out.splitlines()
    assert {one.split()[0], other.split()[0]} == {"VERSION", "other"}
    assert re.fullmatch(r"\(.*, .*\)", interval)


def test_a_command_that_is_stopped_stops_the_capstone(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "main", lambda *words: 130)
    with pytest.raises(KeyboardInterrupt):
        Shell(tmp_path).run("cnn-vision", "check", "digits")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.split()[:3]))
def test_the_page_names_commands_and_options_that_exist(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    name, *words = shlex.split(command)
    default, commands = PROGRAMS[name]
    kind = words[:2] if words[0] == "train" else words[:1]
    assert cli.main(name, default, commands, [*kind, "--help"]) == 0
    known = capsys.readouterr().out
    options = [word for word in words if word.startswith("--")]
    for option in options:
        assert re.search(rf"{re.escape(option)}[ ,\n]", known), option


def test_the_page_has_all_steps():
    assert len(COMMANDS) >= 12
    assert len(re.findall(r"^## \d\. ", PAGE, re.MULTILINE)) == 9


def test_the_images_can_be_drawn_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "FULL", program.replace(program.FULL, archive=2, train=70, test=2, normal=2,
                        most_drifted=2, split=0, after=0, new_train=2, new_test=2))  # fmt: skip
    assert program.main(["--draw", "--out", str(tmp_path / "xrays")]) == 0
    made = {path.name for path in (tmp_path / "xrays").iterdir()}
    assert made == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert (tmp_path / "xrays" / "ours" / "repaired.csv").is_file()


def test_bad_words_are_an_error():
    with pytest.raises(UserError):
        program.folder_for(ROOT / "capstone.md")
