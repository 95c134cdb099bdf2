"""Promises of tools/changed.py and tools/pin.py, tried on small workspaces of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools"
UV = """#!/bin/sh
case "$*" in
    *lock*) exit "${UV_FAILS:-0}" ;;
esac
if grep -q old pyproject.toml; then
    echo 'a==1'
else
    printf '%s\\n' 'a==2' "b==1 ; sys_platform == 'win32'" 'torch==9'
fi
"""
MANIFEST = """[tool.uv]
constraint-dependencies = [
    # By hand.
    "torch==9",
    # Written by `make pins`. Edit above this line only.
%s]
members = ["x"]
"""


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def tool(folder: Path, name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, folder / "tools" / name, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture
def repository(tmp_path):
    """Two packages and the tools, committed."""
    for name in ("packages/gans/pyproject.toml", "packages/cnn-vision/pyproject.toml", "shared/a.py", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first")
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["packages/gans/src/a.py"], ["gans"]),
        (["packages/gans/README.md"], []),
        (["README.md", "docs/grid.png"], []),
        (["lessons/course/01_tensors.py"], []),
        (["README.md", "packages/cnn-vision/tests/b.py"], ["cnn-vision"]),
        (["packages/gans/a.py", "packages/cnn-vision/b.py"], ["cnn-vision", "gans"]),
        (["shared/a.py"], ["shared", "cnn-vision", "gans"]),
        (["pyproject.toml"], ["shared", "cnn-vision", "gans"]),
        (["Makefile", "packages/gans/a.py"], ["shared", "cnn-vision", "gans"]),
    ],
)
def test_changed_lists_the_members_that_a_change_can_affect(repository, files, expected):
    base = git(repository, "rev-parse", "HEAD")
    for name in files:
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("second")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    assert json.loads(tool(repository, "changed.py", base).stdout) == expected


def test_changed_counts_from_where_the_branch_left_its_base(repository):
    start = git(repository, "rev-parse", "HEAD")
    (repository / "shared/a.py").write_text("moved on")
    git(repository, "commit", "-qam", "the base moves on")
    base = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "-b", "branch", start)
    (repository / "packages/gans/pyproject.toml").write_text("second")
    git(repository, "commit", "-qam", "branch")
    assert json.loads(tool(repository, "changed.py", base).stdout) == ["gans"]


def test_changed_names_everything_when_the_base_is_unknown(repository):
    assert json.loads(tool(repository, "changed.py", "0" * 40).stdout) == ["shared", "cnn-vision", "gans"]


def test_changed_ignores_a_package_that_is_gone(repository):
    base = git(repository, "rev-parse", "HEAD")
    git(repository, "rm", "-rq", "packages/cnn-vision")
    git(repository, "commit", "-qm", "gone")
    assert json.loads(tool(repository, "changed.py", base).stdout) == []


@pytest.fixture
def workspace(tmp_path):
    """A manifest with an outdated pin, and a `uv` that resolves to newer ones once that pin is out of its way."""
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").write_text(MANIFEST % '    "old==1",\n')
    (tmp_path / "uv").write_text(UV)
    (tmp_path / "uv").chmod(0o755)
    return tmp_path


def test_pins_are_resolved_afresh_and_keep_what_was_chosen_by_hand(workspace):
    done = tool(workspace, "pin.py", UV=str(workspace / "uv"))
    assert done.returncode == 0, done.stderr
    expected = MANIFEST % """    "a==2",\n    "b==1 ; sys_platform == 'win32'",\n"""
    assert (workspace / "pyproject.toml").read_text() == expected


def test_pins_stay_as_they_were_when_resolving_fails(workspace):
    done = tool(workspace, "pin.py", UV=str(workspace / "uv"), UV_FAILS="2")
    assert done.returncode != 0
    assert (workspace / "pyproject.toml").read_text() == MANIFEST % '    "old==1",\n'


def test_the_check_names_what_has_no_pin_and_writes_nothing(workspace):
    before = (workspace / "pyproject.toml").read_text()
    done = tool(workspace, "pin.py", "--check", UV=str(workspace / "uv"))
    assert done.returncode == 1
    assert "a==1" in done.stderr
    assert "make pins" in done.stderr
    assert (workspace / "pyproject.toml").read_text() == before


def test_the_check_passes_once_the_pins_are_written(workspace):
    tool(workspace, "pin.py", UV=str(workspace / "uv"))
    assert tool(workspace, "pin.py", "--check", UV=str(workspace / "uv")).returncode == 0


def test_the_check_accepts_another_spelling_of_a_marker(workspace):
    tool(workspace, "pin.py", UV=str(workspace / "uv"))
    path = workspace / "pyproject.toml"
    path.write_text(path.read_text().replace("sys_platform == 'win32'", "(sys_platform == 'win32')"))
    assert tool(workspace, "pin.py", "--check", UV=str(workspace / "uv")).returncode == 0
