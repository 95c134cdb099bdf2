"""Command-line arguments of answering. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Run

Questions = Annotated[tuple[str, ...], Positional, arg(metavar="QUESTIONS", help_behavior_hint="")]
TextFile = Annotated[Path, arg(metavar="FILE", help_behavior_hint="(required)")]
Files = Annotated[tuple[Path, ...], Positional, arg(metavar="FILES", help_behavior_hint="")]


@dataclass(frozen=True)
class Answer:
    """Answer questions about a text, or say that the answer is not in it.

    A run of `answer` cuts the answer out of the text and prints its probability; one of `answer-generated` writes it.
    Questions that cannot be answered are named at the end, once all others are; the exit code is 2 then.
    """

    run: Run
    text: TextFile
    """A file with the text; - is the standard input."""
    questions: Questions
    """Questions, each in quotation marks."""
    device: Device = "auto"


@dataclass(frozen=True)
class Summarise:
    """Write a summary of each text, with a run of `summarise`.

    Files that cannot be summarized are named at the end, once all others are; the exit code is 2 then.
    """

    run: Run
    files: Files
    """Files with a text each; - is the standard input."""
    device: Device = "auto"


@dataclass(frozen=True)
class Chat:
    """Talk to a run of `chat`. It replies with what it knows of conversations, or writes a reply where nothing fits.

    Without a terminal, each line of the standard input is a message, and each line printed the reply to it, empty for
    an empty line. Lines that are not UTF-8 are named at the end; the exit code is 2 then. In a terminal, an empty line,
    or Ctrl-D, ends the conversation.
    """

    run: Run
    generate: bool = False
    """Always write replies."""
    temperature: Annotated[float, arg(metavar="T")] = 0.7
    """Of written replies: below 1 likely tokens become likelier; 0 always takes the likeliest."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """Random seed; change it for different replies."""
    device: Device = "auto"


COMMANDS = {
    "answer": Command(Answer, "torchworks.seq_models.answering.use:answer"),
    "summarise": Command(Summarise, "torchworks.seq_models.answering.use:summarise"),
    "chat": Command(Chat, "torchworks.seq_models.answering.chat:chat"),
}
