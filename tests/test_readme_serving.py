"""The blocks of serving's README run as they stand, in the order that it shows, on a run of some steps."""

import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_readme import ROOT, blocks, commands, needs_make, run, surroundings, train

README = "packages/serving/README.md"
RUN = "runs/cnn-vision/classify-digits/001"
SMALLER = ("--quantize", "--prune")
PUBLIC = "--public-url"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder as a clone is after the first block's training: with the run, and the files that commands name."""
    place = tmp_path_factory.mktemp("clone")
    train("make train-cnn-vision", place / RUN)
    for name in ("packages", ".venv"):
        if (ROOT / name).exists():
            (place / name).symlink_to(ROOT / name)
    return place


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def serving(command: str, cwd: Path) -> Iterator[None]:
    """A command that serves until it is stopped."""
    with subprocess.Popen(
        ["bash", "-c", f"exec {command}"], cwd=cwd, env=surroundings(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Serving at "), line
            yield
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def port(folder) -> Iterator[int]:
    """Of the service that the first block starts, by what `make serve` runs."""
    assert f"make serve RUN={RUN}" in commands(README)
    found = free_port()
    with serving(f"serving serve {RUN} --port {found}", folder):
        yield found


def at(port: int, text: str) -> str:
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{port}")


@pytest.mark.slow
@needs_make
def test_the_requests_of_the_readme_are_answered_as_they_stand(folder, port):
    asked = [line for line in commands(README) if line.startswith("curl ") and "127.0.0.1:8000" in line]
    assert len(asked) >= 4
    for line in asked:
        answer = json.loads(run(at(port, line), folder))
        assert "error" not in answer, line
        assert ("outputs" in answer) == line.endswith("/predict"), line


@pytest.mark.slow
@needs_make
def test_the_client_of_the_readme_gets_an_answer(folder, port):
    pytest.importorskip("httpx2", reason="needs serving[client]")
    (example,) = (block for block in blocks(README, "python") if "digits.predict(" in block)
    code = at(port, example).replace("digits.predict(", "print(digits.predict(").replace(")  #", "))  #")
    (folder / "example.py").write_text(code)
    assert "Classification(label=" in run(f"{sys.executable} example.py", folder)


@pytest.mark.slow
@needs_make
def test_the_bundles_of_the_readme_are_made_checked_and_served(folder):
    """A run of some steps knows little that could be lost, so the gate of the smaller ones stands open."""
    lines = [line for line in commands(README) if line.startswith("serving ") and PUBLIC not in line]
    assert len(lines) >= 5
    (folder / "api-key").write_text("a-key-of-some-length")  # whoever sets a key has one
    for line in lines:
        if line.startswith("serving serve "):
            with serving(f"{re.sub(r' --port [0-9]+', '', line)} --port {free_port()}", folder):
                pass
        else:
            run(f"{line} --max-loss 1" if any(option in line for option in SMALLER) else line, folder)


@pytest.mark.slow
@needs_make
def test_the_services_behind_a_proxy_of_the_readme_start(folder):
    """What nginx then makes of them is tested with the service."""
    for line in commands(README):
        if "--out bundles/digits" in line and not (folder / "bundles" / "digits").exists():
            run(line, folder)
        if line.startswith("python "):
            run(line, folder)
        if PUBLIC in line:
            with serving(f"{line} --port {free_port()}", folder):
                pass


@pytest.mark.parametrize("command", [line for line in commands(README) if line.startswith("make ")])
@needs_make
def test_every_make_command_of_the_readme_exists(command):
    targets = [word for word in command.split()[1:] if "=" not in word]
    run(f"make --dry-run {' '.join(targets)} RUN={RUN}", ROOT)


def test_every_block_is_of_a_kind_that_is_run():
    text = (ROOT / README).read_text()
    assert set(re.findall(r"^```(\w+)$", text, re.MULTILINE)) == {"sh", "python", "json", "nginx"}
    shown = {shlex.split(line)[0] for line in commands(README)}
    assert shown == {"make", "curl", ".", "serving", "python"}
    for line in "".join(blocks(README, "json")).splitlines():
        json.loads(line)


def test_images_that_commands_send_are_there():
    named = re.findall(r"@(\S+\.png)", "\n".join(commands(README)))
    assert named
    assert all((ROOT / name).is_file() for name in named)
