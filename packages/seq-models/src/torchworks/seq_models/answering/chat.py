"""The command `chat`: a conversation in the terminal, or with the lines of the standard input."""

import codecs
import itertools
import json
import sys
from collections.abc import Iterator
from typing import IO, cast

from torchworks.seq_models.answering.chat_build import CONVERSATIONS
from torchworks.seq_models.answering.commands import Chat
from torchworks.seq_models.answering.retrieval import Index
from torchworks.seq_models.answering.run import AnsweringRun, open_answering_run
from torchworks.seq_models.answering.writing_data import END, FORMS, MOST_WRITTEN
from torchworks.seq_models.data.questions import Row
from torchworks.seq_models.generation.generate import NOTHING, generate
from torchworks.seq_models.generation.protocol import Autoregressive
from torchworks.seq_models.inference.inputs import Given, refuse_wrong, say_unknown
from torchworks.shared.data.decoding import as_utf8, standard_input, wrong_byte
from torchworks.shared.models.predictor import read_files
from torchworks.shared.text.sampling import Sampling, sampling_of_options


class Replies:
    """Replies of a run: found among those of the conversations that it knows, or written piece by piece."""

    def __init__(self, run: AnsweringRun, *, sampling: Sampling, seed: int = 0, only_written: bool = False):
        self.run, self.sampling, self.seed, self.only_written = run, sampling, seed, only_written
        pairs = json.loads(read_files(run.folder)[CONVERSATIONS])
        self.known = [Row(text, reply=reply) for text, reply in pairs]
        self.index = Index([row.text for row in self.known], run.made["index"])
        self.count = 0

    def to(self, message: str) -> Iterator[str]:
        """The reply, in pieces. Of several that fit equally well, another one each time."""
        number, self.count = self.count, self.count + 1
        if self.writes(message):
            yield from self.written(message, number)
        else:
            found = self.found(message)
            yield found[number % len(found)]

    def found(self, message: str) -> list[str]:
        """The replies to the known messages most like this one; none if none is like it enough."""
        similar = self.index.similarities([message])[0]
        best = similar.max()
        if best < self.run.made["threshold"]:
            return []
        return [self.known[i].reply for i in (similar >= best - 1e-9).nonzero()[0]]

    def writes(self, message: str) -> bool:
        """Whether the reply to a message is written, because none is found."""
        return self.only_written or not self.found(message)

    def forgotten(self, message: str) -> int:
        """How many tokens of a message, its first, are not read where the reply to it is written."""
        return max(0, len(self._prompt(message)) - self._most)

    @property
    def _most(self) -> int:
        return self.run.made["context"] - MOST_WRITTEN

    def _prompt(self, message: str) -> list[int]:
        return self.run.tokenizer.encode(FORMS["reply"].prompt(Row(message)))

    def written(self, message: str, number: int) -> Iterator[str]:
        """A reply by the net, token by token, of whose prompt as much is read as the net can."""
        net, tokenizer = cast(Autoregressive, self.run.predictor.net), self.run.tokenizer
        prompt = self._prompt(message)[-self._most :]
        end = tokenizer.special(END)
        ids: list[int] = []
        told = ""
        steps = generate(
            net, [prompt], steps=MOST_WRITTEN, sampling=self.sampling, seed=self.seed, numbers=[number], end=end
        )
        for (token,) in steps:
            if token in (NOTHING, end):
                break
            ids.append(int(token))
            text = tokenizer.decode(ids).lstrip()
            if not text.endswith("\ufffd"):  # else a character is not complete yet
                yield text[len(told) :]
                told = text


def chat(arguments: Chat) -> int:
    """Reply to each message until there is none. Raises `UserError` that names lines that are no text, once all others
    have a reply."""
    sampling = sampling_of_options(temperature=arguments.temperature, top_p=0.9 if arguments.temperature else 1.0)
    run = open_answering_run(arguments.run, arguments.device, ("reply",), "chat")
    replies = Replies(run, sampling=sampling, seed=arguments.seed, only_written=arguments.generate)
    if sys.stdin is not None and sys.stdin.isatty():
        for message in typed():
            _say(replies, Given("The message", message), one_line=False)
        return 0
    wrong, count = [], 0
    for given in lines_of(standard_input()):
        count += 1
        if given.wrong:
            wrong.append(f"{given.name} {given.wrong}")
        _say(replies, given, one_line=True)
    refuse_wrong(wrong, count, "Messages that cannot be answered")
    return 0


def _say(replies: Replies, given: Given, *, one_line: bool) -> None:
    """Print the reply to a message as it comes; to none an empty line. Ends of lines within become spaces if it must be
    one line."""
    message = (given.text or "").strip()
    if message and replies.writes(message):
        say_unknown(replies.run.tokenizer, [message])
        if left := replies.forgotten(message):
            text = f"{given.name} is longer than the model reads; tokens at its beginning that are not used: {left:,}."
            print(text, file=sys.stderr)
    for piece in replies.to(message) if message else ():
        print(piece.translate(_SPACES) if one_line else piece, end="", flush=True)
    print(flush=True)


_SPACES = {ord(sign): " " for sign in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"}
"""What `str.splitlines` ends lines at."""


def typed() -> Iterator[str]:
    """What the user types, up to an empty line or the end."""
    while True:
        try:
            line = input("you: ").strip()
        except (EOFError, KeyboardInterrupt):
            return
        except UnicodeDecodeError:
            print("That was not UTF-8; please type it again.", file=sys.stderr)
            continue
        if not line:
            return
        yield line


def lines_of(stream: IO[bytes]) -> Iterator[Given]:
    """The lines of a stream in UTF-8, each as soon as it comes, or in UTF-16 with its mark. Raises `UserError` for what
    is no text."""
    first = stream.readline()
    lines = itertools.chain([first], stream) if first else iter(())
    if first.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        lines = iter(as_utf8(first + stream.read(), "The standard input").split(b"\n"))
    for number, line in enumerate(lines, 1):
        content = line.rstrip(b"\r\n")
        wrong = "has a byte of 0, as binary files do" if b"\0" in line else wrong_byte(line)
        yield Given(f"line {number}", None if wrong else content.decode(), wrong)
