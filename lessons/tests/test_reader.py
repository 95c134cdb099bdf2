"""What a reader meets at the command line."""

import json
import os
import shlex
import subprocess
import sys
import time

import pytest

from torchworks.lessons import course, patience
from torchworks.lessons.__main__ import main
from torchworks.lessons.checking import exercises, judge, load_answers
from torchworks.lessons.course import find
from torchworks.lessons.figures import folder_of
from torchworks.lessons.patience import check_answers
from torchworks.shared.config import UserError

TENSORS = find("tensors")


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """The reader's folder."""
    monkeypatch.setattr(course, "ANSWERS", tmp_path / "answers")
    return tmp_path / "answers" / "tensors.py"


def test_the_lessons_are_listed(capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(f" {lesson.name} " in printed for lesson in course.lessons())


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_name_gets_the_nearest_and_exit_code_2(command, capsys):
    assert main([command, "tensor"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("There is no lesson 'tensor'. Did you mean 'tensors'? There are: tensors")
    assert main([command]) == 2
    assert capsys.readouterr().err.startswith("Name a lesson: make lesson NAME=tensors.")


def test_a_lesson_is_found_by_its_number_too():
    assert find("01") == find("1") == find("Tensors") == TENSORS
    assert find("01_tensors") == find("course/01_tensors.py") == TENSORS
    assert find("10_transfer") == find("10") == find("transfer")


@pytest.mark.parametrize("command", ["run", "check", "notebooks"])
def test_where_nothing_can_be_written_it_is_one_paragraph(command, tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").write_text("no folder")
    monkeypatch.setattr(course, "ANSWERS", tmp_path / "taken")
    monkeypatch.setattr(course, "run", lambda lesson: None)
    words = ["--out", str(tmp_path / "taken")] if command == "notebooks" else ["tensors"]
    assert main([command, *words]) == 2
    assert " cannot be written: " in " ".join(capsys.readouterr().err.split())


def test_a_figure_whose_folder_cannot_be_made_is_one_paragraph(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("no folder")
    monkeypatch.setenv("TORCHWORKS_LESSONS", str(tmp_path / "taken"))
    with pytest.raises(UserError, match="cannot be written"):
        folder_of("tensors")


def test_a_check_that_is_told_to_end_takes_an_endless_answer_with_it(tmp_path):
    answers = tmp_path / "answers"
    answers.mkdir()
    (answers / "tensors.py").write_text(
        SOLUTION + "\ndef standardize(table):\n    import os\n"
        "    open(__file__ + '.pid', 'w').write(f'{os.getpid()}\\n')\n    while True:\n        pass\n"
    )
    program = (
        "from pathlib import Path; from torchworks.lessons import course; "
        "from torchworks.lessons.__main__ import main; "
        f"course.ANSWERS = Path({str(answers)!r}); raise SystemExit(main(['check', 'tensors']))"
    )
    check = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    note = answers / "tensors.py.pid"
    while not (note.exists() and note.read_text().endswith("\n")):
        time.sleep(0.05)
        assert check.poll() is None
    check.terminate()
    assert "Stopped." in check.communicate(timeout=30)[1]
    assert check.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_a_list_of_which_only_the_beginning_is_read_ends_quietly():
    words = f"{shlex.quote(sys.executable)} -u -m torchworks.lessons list | head -1"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_running_a_lesson_puts_its_exercises_where_the_reader_answers_and_never_over_answers(answers, figures, capsys):
    assert main(["run", "tensors"]) == 0
    assert "make check-lesson NAME=tensors" in capsys.readouterr().out
    answers.write_text("mine")
    assert not course.prepare_answers(TENSORS)
    assert answers.read_text() == "mine"


SOLUTION = TENSORS.part("solutions").read_text(encoding="utf-8")
ENDLESS = "\ndef standardize(table):\n    while True:\n        pass\n"
CRASH = "\ndef one_hot(labels, num_classes):\n    import os\n    os._exit(3)\n"
ERROR = "\ndef pairwise_distances(a, b):\n    return a[99]\n"
ASKS = "\ndef pairwise_distances(a, b):\n    return input('How many?')\n"


@pytest.fixture
def terminal():
    """A standard input at which nobody types."""
    reading, writing = os.pipe()
    before = os.dup(0)
    os.dup2(reading, 0)
    yield
    os.dup2(before, 0)
    for each in (before, reading, writing):
        os.close(each)


@pytest.mark.slow
def test_neither_an_endless_loop_nor_a_crash_nor_a_question_stops_the_check(answers, terminal):
    answers.parent.mkdir()
    answers.write_text(ENDLESS + CRASH + ASKS)
    found = [str(verdict) for verdict in check_answers(TENSORS, answers, each=2)]
    assert found[0] == "standardize: wrong: no answer within 2 seconds; is there a loop that never ends?"
    assert found[1].startswith("one_hot: wrong: the process ended")
    assert found[2] == "pairwise_distances: wrong: it raised EOFError: EOF when reading a line (line 11)"


def test_an_error_of_an_answer_is_named_with_its_line(answers):
    answers.parent.mkdir()
    answers.write_text(ERROR)
    found = str(here(TENSORS, answers)[2])
    assert found.startswith("pairwise_distances: wrong: it raised IndexError: index 99 is out of bounds")
    assert found.endswith("(line 3)")


def here(lesson, path):
    """As `check_answers` does, but in this process: a new one takes seconds to import torch."""
    loaded = load_answers(path)
    return [judge(check, loaded, path) for check in exercises(lesson).values()]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (SOLUTION, 0, "3 of 3 right one way to write them: "),
        (None, 0, "standardize: not answered one_hot: not answered pairwise_distances: not answered 0 of 3 right"),
        (SOLUTION + ERROR, 1, "standardize: right one_hot: right pairwise_distances: wrong: it raised IndexError"),
    ],
    ids=["right", "unanswered", "wrong"],
)
def test_the_check_says_of_each_answer_whether_it_is_right(text, code, says, answers, capsys, monkeypatch):
    monkeypatch.setattr(patience, "check_answers", here)
    if text:
        answers.parent.mkdir()
        answers.write_text(text)
    assert main(["check", "tensors"]) == code
    assert says in " ".join(capsys.readouterr().out.split())


def test_a_file_that_fails_while_it_loads_is_named_with_its_line(answers):
    with pytest.raises(UserError, match="does not exist"):
        load_answers(answers)
    answers.parent.mkdir()
    answers.write_text("import torch\n\ntorch.nothing\n")
    with pytest.raises(UserError, match=r"tensors\.py, line 3 raised AttributeError while the file was loaded"):
        load_answers(answers)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import torch\nimport pandaz\n", r"tensors\.py, line 2 imports 'pandaz', which is not installed here\."),
        ("import sys\nsys.exit(3)\n", r"tensors\.py, line 2 raised SystemExit while the file was loaded: 3\."),
    ],
    ids=["missing module", "exit"],
)
def test_a_file_that_imports_what_is_missing_or_ends_the_program_is_one_paragraph(text, says, answers):
    answers.parent.mkdir()
    answers.write_text(text)
    with pytest.raises(UserError, match=says):
        load_answers(answers)


def test_code_beside_a_forgotten_ellipsis_is_not_called_unanswered_without_a_reason(answers):
    answers.parent.mkdir()
    answers.write_text('def standardize(table):\n    """Text."""\n    return table - table.mean(dim=0)\n    ...\n')
    verdict = here(TENSORS, answers)[0]
    assert (verdict.state, verdict.why.partition(";")[0]) == ("not answered", "`...` still stands in line 4")


def test_the_type_of_an_answer_of_another_kind_is_named(answers):
    answers.parent.mkdir()
    answers.write_text("def standardize(table):\n    return table.numpy()\n")
    assert here(TENSORS, answers)[0].why.startswith("expected a tensor of shape (50, 4), got an object of type ndarray")


def test_a_notebook_that_the_reader_has_changed_is_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(course, "lessons", lambda: [TENSORS])
    out = ["notebooks", "--out", str(tmp_path)]
    assert main(out) == 0
    path = tmp_path / "01_tensors.ipynb"
    unchanged, mine = path.read_bytes(), path.read_text().replace("Tensors", "My tensors", 1)
    assert main(out) == 0
    assert path.read_bytes() == unchanged
    assert "kept" not in capsys.readouterr().out
    path.write_text(mine)
    assert main(out) == 0
    assert path.read_text() == mine
    assert "01_tensors.ipynb  kept: it differs from the lesson\n" in capsys.readouterr().out
    assert main([*out, "--overwrite"]) == 0
    assert path.read_text() != mine


def test_a_lesson_becomes_a_notebook_with_its_text_and_code(tmp_path, capsys):
    assert main(["notebooks", "--out", str(tmp_path)]) == 0
    cells = json.loads((tmp_path / "01_tensors.ipynb").read_text())["cells"]
    assert {cell["cell_type"] for cell in cells} == {"markdown", "code"}
    assert "".join(cells[0]["source"]).startswith("# 1. Tensors\n")
    assert len(list(tmp_path.glob("*.ipynb"))) == len(course.lessons())


def test_the_list_needs_no_torch():
    command = [sys.executable, "-X", "importtime", "-m", "torchworks.lessons", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "| torch\n" not in done.stderr


def test_a_file_that_python_cannot_read_is_one_paragraph(answers):
    answers.parent.mkdir()
    answers.write_text("def standardize(table:\n")
    with pytest.raises(UserError, match=r"tensors\.py, line 1: '\(' was never closed"):
        load_answers(answers)
