"""The data source `conversations`: short conversations in English, each turn a text with the reply to it.

They are those of the ChatterBot corpus (BSD-3), YAML files of the package chatterbot-corpus that are read without
importing it. Half of its conversations are there more than once (10 of the topic tech_support 1,050 times in all):
copies are left out, and so are the topics gossip, politics and emotion, whose replies are poor.

Equal texts are on one side: no text of the test part is one of the training part.
"""

from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path

from torchworks.seq_models.data.questions import Row, question_source
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.split import split

NAME, PACKAGE = "conversations", "chatterbot-corpus"
LEFT_OUT = ("gossip", "politics", "emotion")


def open_conversations(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The split follows from `seed`."""
    if rest:
        raise UserError(f"The data source '{NAME}' takes nothing after a colon; '{NAME}:{rest}' was given.")
    turns = [turn for conversation in read_corpus() for turn in turns_of(conversation)]
    rows = [*dict.fromkeys(turns)]
    train, test = split([key_of(row.text) for row in rows], [0] * len(rows), config.test_fraction, seed)
    parts = ([rows[i] for i in part] for part in (train, test))
    note = f"{len(rows)} different turns of {len(turns)}; topics left out: {', '.join(LEFT_OUT)}."
    return question_source(NAME, "BSD-3-Clause (ChatterBot corpus)", *parts, notes=(note,))


def key_of(text: str) -> str:
    """The same for texts that differ in case, spaces and signs alone."""
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text.casefold()).split())


def turns_of(conversation: list[str]) -> list[Row]:
    """Each text with the one that follows it."""
    said = [" ".join(str(each).split()) for each in conversation]
    return [Row(text, reply=reply) for text, reply in pairwise(said) if text and reply]


def read_corpus() -> list[list[str]]:
    """The conversations of all topics but those `LEFT_OUT`, in the order of the files' names."""
    return [conversation for conversations in read_topics(NAME).values() for conversation in conversations]


def read_topics(source: str) -> dict[str, list[list[str]]]:
    """The conversations by topic, which are the files' names, without those `LEFT_OUT`. Raises `UserError`, with the
    name of the `source` that reads them, if the package is missing."""
    import yaml

    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        raise UserError(
            f"The data source '{source}' is read from the package {PACKAGE}, which is not installed: pip install "
            f"'{PACKAGE}>=1.2'."
        ) from None
    folder = Path(str(package.locate_file("chatterbot_corpus/data/english")))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # plain data alone; in C where that is installed
    files = [file for file in sorted(folder.glob("*.yml")) if file.stem not in LEFT_OUT]
    return {file.stem: yaml.load(file.read_text(encoding="utf-8"), loader)["conversations"] for file in files}
