"""Checks answers in a process of their own, so that an endless loop or a crash is a verdict and stops nothing."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from torchworks.lessons.checking import Verdict, exercises, judge, load_answers
from torchworks.lessons.course import Lesson, find
from torchworks.shared.config import UserError

START = 120.0
"""Seconds that the process may take to import torch and load the answers."""
EACH = 20.0
"""Seconds that one answer may take."""
MARK = "verdict: "


def check_answers(lesson: Lesson, path: Path, each: float = EACH) -> Iterator[Verdict]:
    """The verdicts on a reader's file, exercise by exercise. After a loop without end the rest gets a new process."""
    waiting = list(exercises(lesson))
    while waiting:
        for verdict in _some(lesson, path, waiting, each):
            waiting.remove(verdict.exercise)
            yield verdict


def _some(lesson: Lesson, path: Path, names: list[str], each: float) -> Iterator[Verdict]:
    """Verdicts by one process, until it is through, ends or hangs."""
    command = [sys.executable, "-m", "torchworks.lessons.patience", lesson.name, str(path), *names]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,  # an answer that asks for input would wait for it, and nobody would see the question
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    limit = START
    try:
        for name in names:
            verdict = _next(lines, name, limit, each)
            yield verdict
            if verdict.why.startswith(("no answer within", "the process")):
                return
            limit = each
    finally:
        process.kill()
        reader.join()
        process.communicate()


def _read(process: subprocess.Popen[str], lines: "queue.Queue[str | None]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(MARK):
            lines.put(line.removeprefix(MARK))
    lines.put(None)


def _next(lines: "queue.Queue[str | None]", name: str, limit: float, each: float) -> Verdict:
    try:
        line = lines.get(timeout=limit)
        if line == "started\n":
            line = lines.get(timeout=each)
    except queue.Empty:
        return Verdict(name, "wrong", f"no answer within {each:g} seconds; is there a loop that never ends?")
    if line is None:
        return Verdict(name, "wrong", "the process ended while it ran, which no answer should bring about")
    found = json.loads(line)
    if "error" in found:
        raise UserError(found["error"])
    return Verdict(**found)


def main(name: str, file: str, *names: str) -> None:
    """Judge the named exercises and print a line for each. What the answers print goes to stderr, which is not read."""
    lesson, path = find(name), Path(file)
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        answers = load_answers(path)
    except UserError as error:
        print(MARK + json.dumps({"error": str(error)}), file=out, flush=True)
        return
    checks = exercises(lesson)
    print(f"{MARK}started", file=out, flush=True)
    for each in names:
        print(MARK + json.dumps(asdict(judge(checks[each], answers, path))), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
