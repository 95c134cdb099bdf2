"""Who chose what, and when: the events of users and items, and how they are divided for training and testing.

Users and items have numbers from 1 on; 0 is padding, as in RecBole. What they are called outside, their tokens, is in
the `Catalogue`, with the titles of the items.

| split | test part | validation part |
|---|---|---|
| `random` | of each user a tenth of the events, drawn at random | another tenth |
| `last` | of each user the last event | the one before |
| `cold-items` | all events of a fifth of the items | all events of another tenth of the items |

`random` is RecBole's split bit for bit (`RS: [0.8, 0.1, 0.1]`, `order: RO`, `group_by: user`, `seed: 2020`): rows in
their order in the file are permuted by torch's generator with seed 2020, grouped by user, and cut. It does not depend
on the seed of a training, so that scores of several seeds are of the same test part. Imports torch only when needed.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from tyro.conf import arg

from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data.findings import Finding
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.data.source import Source
from torchworks.shared.data.split import fingerprint

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["random", "last", "cold-items"]
TRAIN, VALID, TEST = 0, 1, 2
SPLIT_SEED = 2020
FEWEST_TESTED = 10
"""Users with events in the test part below which no score means anything."""


@dataclass(frozen=True)
class InteractionsConfig(LoaderConfig):
    """How the data get to the device."""

    split: Split = "random"
    """What is held back for testing: a tenth of each user's events, each user's last event, or all events of a fifth of
    the items."""
    titles: Annotated[Path | None, arg(metavar="FILE")] = None
    """Of ratings:FILE: a second table with the columns item and title, and perhaps genres (separated by |) and year."""
    min_rating: float | None = None
    """Leave out events with a lower rating."""


@dataclass(frozen=True)
class Catalogue:
    """What users and items are called. Place 0 of each tuple belongs to number 1."""

    users: tuple[str, ...]
    items: tuple[str, ...]
    titles: tuple[str, ...]
    genres: tuple[tuple[str, ...], ...]
    years: tuple[int, ...]
    """0 where none is known."""

    @property
    def genre_names(self) -> tuple[str, ...]:
        """Each once, sorted."""
        return tuple(sorted({name for names in self.genres for name in names}))

    def genre_matrix(self) -> np.ndarray:
        """Whether an item is of a genre, bool (I + 1, G); row 0 is padding."""
        place = {name: i for i, name in enumerate(self.genre_names)}
        matrix = np.zeros((len(self.items) + 1, len(place)), bool)
        for number, names in enumerate(self.genres, 1):
            matrix[number, [place[name] for name in names]] = True
        return matrix

    def shown(self, number: int) -> str:
        """An item as people read it: its title, and the year if it is known."""
        year = self.years[number - 1]
        return f"{self.titles[number - 1]} ({year})" if year else self.titles[number - 1]

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Catalogue":
        values = json.loads(content)
        genres = tuple(map(tuple, values.pop("genres")))
        return cls(**{name: tuple(value) for name, value in values.items()}, genres=genres)


@dataclass(frozen=True)
class Log:
    """All events in the order of the file: numbers of users and items, seconds, ratings, (E,) each."""

    users: np.ndarray
    items: np.ndarray
    times: np.ndarray
    ratings: np.ndarray
    catalogue: Catalogue

    def __len__(self) -> int:
        return len(self.users)

    def at(self, rows: np.ndarray) -> "Log":
        """The events of these rows."""
        return Log(self.users[rows], self.items[rows], self.times[rows], self.ratings[rows], self.catalogue)


class Events:
    """Events as a data set; a sample has the numbers `user` and `item`. `parts` says of each event which part it is of:
    TRAIN or VALID, or TEST."""

    def __init__(self, log: Log, parts: np.ndarray, split: Split):
        self.log, self.parts, self.split = log, parts, split
        names = log.catalogue
        sizes = {"user": len(names.users) + 1, "item": len(names.items) + 1}
        self.schema = Schema(tuple(Field(name, "id", (), size=size) for name, size in sizes.items()))

    def __len__(self) -> int:
        return len(self.log)

    def __getitem__(self, i: int) -> "dict[str, Tensor]":
        import torch

        return {"user": torch.tensor(int(self.log.users[i])), "item": torch.tensor(int(self.log.items[i]))}


# ------------------------------------------------------------------------------------------------------- split


def split_parts(log: Log, split: Split) -> np.ndarray:
    """The part of each event, int64 (E,)."""
    if split == "last":
        return _last(log)
    return _random(log.users) if split == "random" else _cold(log)


def _random(users: np.ndarray) -> np.ndarray:
    import torch

    order = torch.randperm(len(users), generator=torch.Generator().manual_seed(SPLIT_SEED)).numpy()
    grouped = order[np.argsort(users[order], kind="stable")]  # by user, in the permuted order
    counts = np.bincount(users)[users[grouped]]
    held = counts // 10
    place = _places(users[grouped])
    parts = np.empty(len(users), np.int64)
    parts[grouped] = np.where(place < counts - 2 * held, TRAIN, np.where(place < counts - held, VALID, TEST))
    return parts


def _last(log: Log) -> np.ndarray:
    order = by_time(log)
    users = log.users[order]
    left = np.bincount(users)[users] - 1 - _places(users)  # events of the user that come after
    parts = np.full(len(users), TRAIN)
    long = np.bincount(users)[users] >= 3  # of fewer, nothing would remain to learn from
    parts[order] = np.where(long & (left == 0), TEST, np.where(long & (left == 1), VALID, TRAIN))
    return parts


def _cold(log: Log) -> np.ndarray:
    count = len(log.catalogue.items)
    order = 1 + np.random.default_rng(0).permutation(count)
    kind = np.full(count + 1, TRAIN)
    kind[order[: round(0.2 * count)]] = TEST
    kind[order[round(0.2 * count) : round(0.3 * count)]] = VALID
    return kind[log.items]


def by_time(log: Log) -> np.ndarray:
    """Rows by user, and of each user by time. Events of the same second keep their order in the file."""
    return np.lexsort((np.arange(len(log)), log.times, log.users))


def _places(groups: np.ndarray) -> np.ndarray:
    """How many equal values stand before each, in a sorted array."""
    starts = np.r_[0, np.flatnonzero(np.diff(groups)) + 1] if len(groups) else np.zeros(0, int)
    return np.arange(len(groups)) - np.repeat(starts, np.diff(np.r_[starts, len(groups)]))


# ------------------------------------------------------------------------------------------------------ source


def as_source(name: str, licence: str, log: Log, config: LoaderConfig, notes: Sequence[str] = ()) -> Source:
    """The source of these events, divided as `config` asks. Raises `UserError` for too few of them."""
    config = of_interactions(config, name)
    notes = list(notes)
    if config.min_rating is not None:
        kept = log.ratings >= config.min_rating
        notes.append(f"Events with a rating below {config.min_rating:g}, left out: {int((~kept).sum())}.")
        log = log.at(kept)
    parts = split_parts(log, config.split)
    tested = len(np.unique(log.users[parts == TEST]))
    if tested < FEWEST_TESTED:
        need = {"random": "10 events each", "last": "3 events each", "cold-items": "events of several items"}
        raise UserError(
            f"{name} has {tested} users to test with, but {FEWEST_TESTED} are the fewest by which a score means "
            f"anything. The split '{config.split}' needs users with {need[config.split]}; add events, or choose "
            "another --loader.split."
        )
    train, test = (Events(log.at(rows), parts[rows], config.split) for rows in (parts != TEST, parts == TEST))
    columns = (log.users, log.items, log.times, parts)
    mark = fingerprint(*(column.tolist() for column in columns), log.catalogue.items)
    return Source(name, licence, train, test, train.schema, mark, tuple(notes))


def of_interactions(config: LoaderConfig, source: str) -> InteractionsConfig:
    """`config`, for a source of events. Raises `UserError` if the recipe reads something else."""
    if isinstance(config, InteractionsConfig):
        return config
    raise UserError(
        f"'{source}' says which user chose which item, but this recipe learns from other data. Choose a recipe of "
        "recommendation, such as `recommend`, or other data by --data."
    )


def events_of(source: Source) -> tuple[Events, Events]:
    """The training (with the validation) part and the test part. Raises `UserError` for data of another kind."""
    source.need("user", "item")
    train, test = source.train, source.test
    if not (isinstance(train, Events) and isinstance(test, Events)):
        raise UserError(f"'{source.name}' has users and items, but no events with their times: use ratings:FILE.csv.")
    return train, test


def number_tokens(tokens: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers from 1 on in the order of first appearance, int64 (E,), and the token of each number."""
    places: dict[str, int] = {}
    numbers = np.array([places.setdefault(token, len(places) + 1) for token in tokens], np.int64)
    return numbers, tuple(places)


def described(log: Log, source: Source) -> Iterator[Finding]:
    """What `check` says of the events of a source."""
    names = log.catalogue
    users, items = np.bincount(log.users)[1:], np.bincount(log.items, minlength=len(names.items) + 1)[1:]
    filled = len(log) / (len(names.users) * len(names.items))
    texts = [
        f"{len(log):,} events of {len(names.users):,} users and {len(names.items):,} items; {filled:.1%} of the pairs.",
        f"Events of a user: {users.min()} to {users.max()}, median {np.median(users):.0f}. Items with fewer than 5: "
        f"{(items < 5).sum()}.",
        f"Divided for training and testing: {len(source.train):,} and {len(source.test):,} events.",
        *source.notes,
    ]
    yield from (Finding("fact", text) for text in texts)
    _, same = np.unique(np.stack([log.users, log.times]), axis=1, return_counts=True)
    if shared := int(same[same > 1].sum()):
        yield Finding("warning", f"Events of a second that the user's other events share: {shared:,}. They are ordered "
                      "as in the file.")  # fmt: skip
    fewest = {"random": 10, "last": 3}.get(getattr(source.train, "split", ""), 1)
    if untested := int((users < fewest).sum()):
        yield Finding(
            "warning", f"Users with fewer than {fewest} events, who are trained on and not scored: {untested}."
        )
