"""The command `chat`: a conversation in the terminal, or with the lines of the standard input."""

import json
import sys
from collections.abc import Iterator
from typing import cast

from torchworks.seq_models.answering.chat_build import CONVERSATIONS
from torchworks.seq_models.answering.commands import Chat
from torchworks.seq_models.answering.retrieval import Index
from torchworks.seq_models.answering.run import AnsweringRun, open_answering_run
from torchworks.seq_models.answering.writing_data import END, FORMS, MOST_WRITTEN
from torchworks.seq_models.data.questions import Row
from torchworks.seq_models.generation.generate import NOTHING, generate
from torchworks.seq_models.generation.protocol import Autoregressive
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import read_files
from torchworks.shared.text.sampling import Sampling


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
        found = [] if self.only_written else self.found(message)
        if found:
            yield found[number % len(found)]
        else:
            yield from self.written(message, number)

    def found(self, message: str) -> list[str]:
        """The replies to the known messages most like this one; none if none is like it enough."""
        similar = self.index.similarities([message])[0]
        best = similar.max()
        if best < self.run.made["threshold"]:
            return []
        return [self.known[i].reply for i in (similar >= best - 1e-9).nonzero()[0]]

    def written(self, message: str, number: int) -> Iterator[str]:
        """A reply by the net, token by token, of whose prompt as much is read as the net can."""
        net, tokenizer = cast(Autoregressive, self.run.predictor.net), self.run.tokenizer
        most = self.run.made["context"] - MOST_WRITTEN
        prompt = tokenizer.encode(FORMS["reply"].prompt(Row(message)))[-most:]
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
    """Reply to each message until there is none."""
    run = open_answering_run(arguments.run, arguments.device, ("reply",), "chat")
    sampling = Sampling(arguments.temperature, top_p=0.9 if arguments.temperature else 1.0)
    replies = Replies(run, sampling=sampling, seed=arguments.seed, only_written=arguments.generate)
    for message in messages(sys.stdin.isatty()):
        for piece in replies.to(message):
            print(piece, end="", flush=True)
        print(flush=True)
    return 0


def messages(terminal: bool) -> Iterator[str]:
    """What the user says: lines, up to an empty one or the end. Raises `UserError` for what is no text."""
    while True:
        try:
            line = input("you: " if terminal else "").strip()
        except (EOFError, KeyboardInterrupt):
            return
        except UnicodeDecodeError:
            raise UserError("The standard input is not UTF-8. Convert it, for example by iconv.") from None
        if not line and terminal:
            return
        if line:
            yield line
