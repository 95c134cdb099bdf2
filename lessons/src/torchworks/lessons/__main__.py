"""The commands behind `make lessons`, `make lesson`, `make check-lesson` and `make notebooks`.

A mistake of the user's is one paragraph and exit code 2; an answer that is wrong is exit code 1.
"""

import argparse
import os
import signal
import sys
import textwrap
from pathlib import Path
from types import FrameType

from torchworks.lessons import course
from torchworks.shared.config import UserError


def list_lessons() -> int:
    """Print number, name and summary of each lesson."""
    for lesson in course.lessons():
        print(textwrap.fill(f"{lesson.number:2}  {lesson.name:<15} {lesson.summary}", 110, subsequent_indent=" " * 20))
    print("\nmake lesson NAME=tensors runs the first and prepares its exercises.")
    return 0


def run_lesson(name: str) -> int:
    """Run a lesson, and say where its text and its exercises are."""
    lesson = course.find(name)
    print(f"{lesson.title}\nread it beside this: {_shown(lesson.path)}\n")
    course.run(lesson)
    course.prepare_answers(lesson)
    print(f"\nthree exercises: {_shown(lesson.answers)}\nthen: make check-lesson NAME={lesson.name}")
    return 0


def check_lesson(name: str) -> int:
    """Check the reader's answers; 1 if one of them is wrong."""
    from torchworks.lessons.patience import check_answers

    lesson = course.find(name)
    if course.prepare_answers(lesson):
        print(f"put the exercises at {_shown(lesson.answers)}: answer there\n")
    states = []
    for verdict in check_answers(lesson, lesson.answers):
        print(textwrap.fill(str(verdict), 110, subsequent_indent="    ", break_on_hyphens=False), flush=True)
        states.append(verdict.state)
    print(f"\n{states.count('right')} of {len(states)} right")
    if all(state == "right" for state in states):
        print(f"one way to write them: {_shown(lesson.part('solutions'))}")
    return 1 if "wrong" in states else 0


def write_notebooks(folder: Path, *, overwrite: bool) -> int:
    """Write all lessons as notebooks, but over none that a reader has changed."""
    from torchworks.lessons.notebooks import write_notebook

    kept = 0
    for lesson in course.lessons():
        path, as_lesson = write_notebook(lesson, folder, overwrite=overwrite)
        print(_shown(path) + ("" if as_lesson else "  kept: it differs from the lesson"))
        kept += not as_lesson
    if kept:
        print(
            f"\n{kept} kept, as you may have written in {'it' if kept == 1 else 'them'}; to replace all: "
            "make notebooks ARGS=--overwrite"
        )
    return 0


def _shown(path: Path) -> str:
    return os.path.relpath(path)


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="lessons", description="A course of PyTorch in lessons that run.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the lessons")
    for command, text in (("run", "run a lesson"), ("check", "check your answers to a lesson's exercises")):
        commands.add_parser(command, help=text).add_argument("name", nargs="?", default="")
    notebooks = commands.add_parser("notebooks", help="write all lessons as notebooks")
    notebooks.add_argument("--out", type=Path, default=course.ROOT / "notebooks", help="folder to write them to")
    notebooks.add_argument("--overwrite", action="store_true", help="also replace notebooks that you have changed")
    given = parser.parse_args(arguments)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        match given.command:
            case "list":
                return list_lessons()
            case "run":
                return run_lesson(given.name)
            case "check":
                return check_lesson(given.name)
            case _:
                return write_notebooks(given.out, overwrite=given.overwrite)
    except BrokenPipeError:  # whoever reads what is printed has read enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (else Python complains at exit)
        return 0
    except UserError as error:
        print(textwrap.fill(str(error), 100, break_long_words=False, break_on_hyphens=False), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a lesson or a check as Ctrl+C does, with the processes that it started."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
