"""The lessons: which there are, and how one is run."""

import os
import re
import runpy
import shutil
from dataclasses import dataclass
from pathlib import Path

from torchworks.lessons.figures import writing
from torchworks.shared.config import UserError, nearest

ROOT = Path(__file__).resolve().parents[3]
"""The folder `lessons` of the workspace."""
ANSWERS = ROOT / "answers"
"""Where readers' answers lie; git ignores it."""


@dataclass(frozen=True)
class Lesson:
    """A file `course/NN_name.py`; its first heading is the title, the paragraph under it the summary."""

    number: int
    name: str
    path: Path

    @property
    def title(self) -> str:
        return self._opening()[0].removeprefix("# ").strip()

    @property
    def summary(self) -> str:
        return " ".join(self._opening()[1:])

    def _opening(self) -> list[str]:
        """The heading, and the lines of the first paragraph."""
        lines = [line.removeprefix("#").strip() for line in self.path.read_text(encoding="utf-8").splitlines()]
        start = next(number for number, line in enumerate(lines) if line.startswith("# "))
        paragraph = start + 2
        return [lines[start], *lines[paragraph : lines.index("", paragraph)]]

    def part(self, folder: str) -> Path:
        """The file of this lesson in `exercises`, `solutions` or `checks`."""
        return ROOT / folder / f"{self.name}.py"

    @property
    def answers(self) -> Path:
        """The file in which the reader answers."""
        return ANSWERS / f"{self.name}.py"


def lessons() -> list[Lesson]:
    """All lessons in their order."""
    found = []
    for path in sorted((ROOT / "course").glob("[0-9][0-9]_*.py")):
        number, _, name = path.stem.partition("_")
        found.append(Lesson(int(number), name, path))
    return found


def find(name: str) -> Lesson:
    """The lesson of that name, number or file; raises `UserError` with the nearest known name."""
    known = {lesson.name: lesson for lesson in lessons()}
    known |= {str(lesson.number): lesson for lesson in known.values()}
    wanted = name.strip().lower().removesuffix(".py").replace("-", "_").lstrip("0")
    wanted = re.sub(r"^\d+_", "", wanted.rpartition("/")[2])
    if wanted in known:
        return known[wanted]
    names = [lesson.name for lesson in lessons()]
    if not wanted:
        raise UserError(f"Name a lesson: make lesson NAME={names[0]}. There are: {', '.join(names)}.")
    raise UserError(f"There is no lesson '{name}'.{nearest(wanted, names)} There are: {', '.join(names)}.")


def prepare_answers(lesson: Lesson) -> bool:
    """Copy the exercises to where the reader answers, unless they are there already; whether it was done."""
    if lesson.answers.exists():
        return False
    with writing(lesson.answers):
        ANSWERS.mkdir(exist_ok=True)
        shutil.copyfile(lesson.part("exercises"), lesson.answers)
    return True


def run(lesson: Lesson) -> dict[str, object]:
    """Run a lesson as a script in this process and return its variables."""
    os.environ.setdefault("MPLBACKEND", "agg")  # a figure is a file here, and a window nowhere
    return runpy.run_path(str(lesson.path), run_name="__main__")
