"""Runs the project's commands as a person types them, and keeps what they say.

`cnn-vision` and `serving` are called in this process, through the function behind both programs: starting PyTorch anew
for each of twenty commands would take longer than the trainings.
"""

import contextlib
import io
import os
import re
import shlex
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torchworks.cnn_vision.commands import COMMANDS as CNN_VISION
from torchworks.serving.commands import COMMANDS as SERVING
from torchworks.shared import cli
from torchworks.shared.config import UserError

PROGRAMS = {"cnn-vision": ("classify", CNN_VISION), "serving": (None, SERVING)}
WIDTH = 100
_WORD = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""")
"""A word of a command with its quotes; what stands in quotes may have spaces."""


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    command: str
    code: int
    output: str
    errors: str

    @property
    def last(self) -> str:
        """The last line: of most commands the folder that they wrote."""
        return self.output.rstrip().rsplit("\n", 1)[-1]


class Shell:
    """Runs commands; everything that they print goes to files in `logs` as well."""

    def __init__(self, logs: Path):
        self.logs, self.count = logs, 0
        logs.mkdir(parents=True, exist_ok=True)

    def run(self, *words: object, expect: Iterable[int] = (0,)) -> Said:
        """Run a command. Raises `UserError`, with what it said, if it ends with another code than is expected."""
        name, *rest = map(str, words)
        default, commands = PROGRAMS[name]
        output, errors = io.StringIO(), io.StringIO()
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
            _small_terminal(),
        ):
            formatter = warnings.formatwarning
            try:
                code = cli.main(name, default, commands, rest)
            finally:
                warnings.formatwarning = formatter
        said = Said(written(words), code, output.getvalue(), errors.getvalue())
        self._keep(said)
        if code == 130:
            raise KeyboardInterrupt
        if code not in expect:
            reason = " ".join(said.errors.split()[-80:]) or "it said nothing"
            command = textwrap.shorten(said.command, 200, placeholder=" …")
            raise UserError(f"`{command}` ended with exit code {code}: {reason}")
        return said

    def _keep(self, said: Said) -> None:
        self.count += 1
        words = said.command.split()
        text = f"$ {said.command}\n{said.output}\n{said.errors}\nexit code {said.code}\n"
        (self.logs / f"{self.count:02}-{words[0]}-{words[1]}.txt").write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _small_terminal() -> Iterator[None]:
    """Tables as wide as the report."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def written(words: Iterable[object]) -> str:
    """A command as it is typed, with paths from the current folder."""
    return " ".join(_quoted(_short(str(word))) for word in words)


def _quoted(word: str) -> str:
    """As `shlex.quote`, but without double quotes, so that it may stand within them in `"$(…)"`."""
    return shlex.quote(word).replace("""'"'"'""", r"'\''")


def _short(word: str) -> str:
    kind, colon, path = word.partition(":")
    if colon and kind == "csv":
        return f"{kind}:{_short(path)}"
    if not os.path.isabs(word):
        return word
    near = os.path.relpath(word)
    if near.startswith(".."):
        return word
    return f".{os.sep}{near}" if near.startswith("-") else near


def shown(command: str) -> str:
    """A command over several lines, for people, who can copy it as it stands: no line ends within quotes."""
    lines: list[str] = []
    for word in _WORD.findall(command):
        if lines and len(lines[-1]) + 1 + len(word) <= WIDTH - 6:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return " \\\n    ".join(lines)
