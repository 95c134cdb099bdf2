"""The data source `topics`: what people say and ask in short conversations in English, with the topic of each.

They are the turns of the ChatterBot corpus (BSD-3), whose files are its topics, read as by `conversations.py`. Real
sentences of about ten words, written by many people, few, and uneven: more than a third are trivia. Nothing is known
of a turn but its own words, so that some ("Yes, I do.") nobody could place.

- A turn that is there more than once, up to case, spaces and signs, is there once; one of two topics is left out.
- Turns of one conversation are all in the training part or all in the test part, and so are conversations that have a
  turn in common: a question with its twenty answers is one group. So the test part asks for topics, not for questions.
- A topic needs at least `LEAST_TEXTS` texts in at least `LEAST_GROUPS` groups. Those with fewer are left out, and so
  are `NO_TOPIC`, talk about anything, and the three topics that `conversations.py` leaves out; the source's notes name
  them all.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from torchworks.seq_models.data.conversations import LEFT_OUT, key_of, read_topics
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.split import split
from torchworks.shared.data.texts import Row, text_source

NAME = "topics"
NO_TOPIC = ("conversations", "greetings")
LEAST_TEXTS, LEAST_GROUPS = 30, 10
Group = list[Row]
"""Texts of one topic that belong together."""


def open_topics(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The split follows from `seed`."""
    if rest:
        raise UserError(f"The data source '{NAME}' takes nothing after a colon; '{NAME}:{rest}' was given.")
    groups, small = topic_groups(read_topics(NAME))
    rows = [(row, key_of(group[0][0])) for group in groups for row in group]
    number = {label: i for i, label in enumerate(sorted({label for (_, label), _ in rows}))}
    labels = [number[label] for (_, label), _ in rows]
    parts = split([key for _, key in rows], labels, config.test_fraction, seed)
    train, test = ([rows[i][0] for i in part] for part in parts)
    note = (
        f"{len(rows)} texts of {len(number)} topics; left out are topics with few texts ({', '.join(small)}), without "
        f"a subject ({', '.join(NO_TOPIC)}), and with poor replies ({', '.join(LEFT_OUT)})."
    )
    return text_source(NAME, "BSD-3-Clause (ChatterBot corpus)", train, test, notes=(note,), seed=seed)


def topic_groups(topics: Mapping[str, list[list[str]]]) -> tuple[list[Group], list[str]]:
    """The groups of all topics that are large enough, no text in two of them, and the names of the topics that are
    not."""
    known = {topic: found for topic, found in topics.items() if topic not in NO_TOPIC}
    topics_of = Counter(
        key for found in known.values() for key in {key_of(str(turn)) for each in found for turn in each}
    )
    kept: list[Group] = []
    small: list[str] = []
    for topic, conversations in known.items():
        turns = ([" ".join(str(turn).split()) for turn in each] for each in conversations)
        own = [[turn for turn in each if key_of(turn) and topics_of[key_of(turn)] == 1] for each in turns]
        groups = [[(text, topic) for text in texts] for texts in connected(own)]
        large = len(groups) >= LEAST_GROUPS and sum(map(len, groups)) >= LEAST_TEXTS
        kept += groups if large else []
        small += [] if large else [topic]
    return kept, small


def connected(conversations: Iterable[list[str]]) -> list[list[str]]:
    """The different texts of conversations, those together that a chain of common texts connects, in their order."""
    group_of: dict[str, int] = {}
    groups: dict[int, dict[str, str]] = {}  # of each key the first text
    for number, conversation in enumerate(conversations):
        merged: dict[str, str] = {}
        for old in sorted({group_of[key] for key in map(key_of, conversation) if key in group_of}):
            merged |= groups.pop(old)
        for turn in conversation:
            merged.setdefault(key_of(turn), turn)
        groups[number] = merged
        group_of |= dict.fromkeys(merged, number)
    return [[*texts.values()] for texts in groups.values() if texts]
