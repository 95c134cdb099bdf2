"""What all steps share: the folder, the sizes, the shell, and the chapters of the report as they come about."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torchworks.lessons.capstone.hospital import Row
from torchworks.lessons.capstone.report import Chapter
from torchworks.lessons.capstone.scoring import Score
from torchworks.lessons.capstone.settings import Settings
from torchworks.lessons.capstone.shell import Said, Shell, shown


@dataclass
class Story:
    """A run of the capstone. `facts` are its numbers, for `facts.json`."""

    out: Path
    settings: Settings
    shell: Shell
    chapters: list[Chapter] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    test_rows: list[Row] = field(default_factory=list)
    scores: dict[str, list[Score]] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.out / "data"

    @property
    def champion(self) -> Path:
        """The run whose model is served first."""
        return self.out / "runs" / "transfer-0"

    @property
    def figures(self) -> Path:
        return self.out / "figures"

    @property
    def images(self) -> list[str]:
        """Options that all commands about our images take."""
        return ["--multi-label", "--loader.image-size", str(self.settings.image_size), *self.cache]

    @property
    def cache(self) -> list[str]:
        """Where is remembered what was found in the files: within the folder of this run."""
        return ["--loader.root", str(self.out / "cache")]

    def training(self, data: Path, steps: int) -> list[str]:
        """Options of a training."""
        return ["--data", f"csv:{data}", *self.training_options(steps)]

    def training_options(self, steps: int) -> list[str]:
        return [
            *self.images, "--augment", "shift", "--trainer.steps", str(steps), "--trainer.eval-every", str(steps),
            "--trainer.batch-size", str(self.settings.batch),
        ]  # fmt: skip

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Chapter]:
        """A chapter of the report; what was added is kept if the step fails."""
        began = time.monotonic()
        chapter = Chapter(title)
        self.chapters.append(chapter)
        print(f"\n{len(self.chapters)}. {title}", flush=True)
        try:
            yield chapter
        finally:
            chapter.seconds = time.monotonic() - began

    def run(self, chapter: Chapter | None, *words: object, expect: tuple[int, ...] = (0,), show: str = "") -> Said:
        """Run a command, print it, and put it into the chapter with those lines that `show` begins, or all."""
        said = self.shell.run(*words, expect=expect)
        print(f"   $ {said.command}", flush=True)
        if chapter is not None:
            chapter.command(said.command, _from(said.output, show) if show else "")
        return said


def say(text: str) -> None:
    """A line or two about what came out."""
    print(f"   {text}", flush=True)


def _from(output: str, beginning: str) -> str:
    """The lines from the first one that begins so."""
    lines = output.split("\n")
    first = next((i for i, line in enumerate(lines) if line.startswith(beginning)), 0)
    return "\n".join(lines[first:])


__all__ = ["Story", "say", "shown"]
