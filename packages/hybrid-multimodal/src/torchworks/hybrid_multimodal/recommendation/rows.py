"""Events as rows of users, as nets learn from them and are scored.

| field | of a user |
|---|---|
| `user` | the number |
| `items` | what the net may know: the history, the oldest first |
| `chosen` | what it should rank first |
| `left_out` | what is not ranked, because the user had it already |

Shape letters: N users, T items of the longest history.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.interactions import TEST, TRAIN, VALID, Catalogue, Events, Log, Split, by_time
from torchworks.shared.data import Field, Schema, TensorDataset


@dataclass(frozen=True)
class Divided:
    """The events of a source in three parts, each user's in the order of time. `valid` and `test` are rows of users who
    chose something in that part."""

    log: Log
    parts: np.ndarray
    split: Split

    @classmethod
    def of(cls, train: Events, test: Events) -> "Divided":
        """From the two parts of a source."""
        pairs = ((train.log, train.parts), (test.log, test.parts))
        columns = (
            np.concatenate([getattr(log, name) for log, _ in pairs]) for name in ("users", "items", "times", "ratings")
        )
        log = Log(*columns, train.log.catalogue)
        order = by_time(log)
        return cls(log.at(order), np.concatenate([parts for _, parts in pairs])[order], train.split)

    @property
    def catalogue(self) -> Catalogue:
        return self.log.catalogue

    @property
    def count(self) -> int:
        """Numbers of items, padding among them: I + 1."""
        return len(self.catalogue.items) + 1

    def matrix(self, *parts: int) -> Tensor:
        """Which user had which item in these parts, float32 (U + 1, I + 1) of 0 and 1."""
        x = torch.zeros(len(self.catalogue.users) + 1, self.count)
        rows = np.isin(self.parts, parts)
        x[self.log.users[rows], self.log.items[rows]] = 1.0
        return x

    def counts(self) -> Tensor:
        """How often each item was chosen in the training part, (I + 1,)."""
        items = self.log.items[self.parts == TRAIN]
        return torch.from_numpy(np.bincount(items, minlength=self.count)).float()

    def histories(self, *parts: int) -> Tensor:
        """The items of each user in these parts, int64 (U + 1, T), padded with 0; row 0 is of nobody."""
        rows = np.isin(self.parts, parts)
        return padded(self.log.users[rows], self.log.items[rows], len(self.catalogue.users) + 1)

    def candidates(self, part: int) -> Tensor | None:
        """The items that are ranked in a part, bool (I + 1,); None for all of them."""
        if self.split != "cold-items":
            return None
        return torch.from_numpy(np.bincount(self.log.items[self.parts == part], minlength=self.count) > 0)

    def tested(self, part: int) -> TensorDataset:
        """Rows to score by a part, VALID or TEST. A net knows the training part, and of the split `last` all events
        before."""
        before = {VALID: (TRAIN,), TEST: (TRAIN, VALID)}[part]
        chosen = self.histories(part)
        users = torch.nonzero(chosen.any(1)).flatten()
        known = self.histories(*(before if self.split == "last" else (TRAIN,)))
        left_out = torch.zeros_like(known[:, :1]) if self.split == "cold-items" else self.histories(*before)
        return self.rows(users, items=known[users], chosen=chosen[users], left_out=left_out[users])

    def rows(self, users: Tensor, **fields: Tensor) -> TensorDataset:
        """A data set of users and ragged rows of items, padded with 0."""
        tensors = {"user": users, **fields}
        specs = [Field("user", "id", (), size=len(self.catalogue.users) + 1)]
        for name, value in fields.items():
            tensors[f"{name}_length"] = (value > 0).sum(1).clamp(min=1)
            specs.append(Field(name, "id", (value.shape[1],), size=self.count, ragged=True))
        return TensorDataset(tensors, Schema(tuple(specs)))

    def training_rows(self) -> TensorDataset:
        """All users with their training items."""
        items = self.histories(TRAIN)
        users = torch.nonzero(items.any(1)).flatten()
        return self.rows(users, items=items[users])

    def training_pairs(self) -> TensorDataset:
        """The events of the training part: `user` and `item`, (E,) each."""
        rows = self.parts == TRAIN
        fields = {"user": self.log.users[rows], "item": self.log.items[rows]}
        sizes = {"user": len(self.catalogue.users) + 1, "item": self.count}
        schema = Schema(tuple(Field(name, "id", (), size=size) for name, size in sizes.items()))
        return TensorDataset({name: torch.from_numpy(value) for name, value in fields.items()}, schema)


def padded(users: np.ndarray, items: np.ndarray, count: int) -> Tensor:
    """The items of users 0 to `count` - 1, in the order they have here, int64 (count, T), T at least 1."""
    order = np.argsort(users, kind="stable")
    numbers = np.bincount(users, minlength=count)
    place = np.arange(len(users)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
    rows = torch.zeros(count, max(1, int(numbers.max(initial=1))), dtype=torch.int64)
    rows[users[order], place] = torch.from_numpy(items[order])
    return rows


def numbers_as_rows(lists: Sequence[Sequence[int]]) -> Tensor:
    """Lists of item numbers, int64 (N, T), padded with 0."""
    rows = torch.zeros(len(lists), max(1, *map(len, lists)) if lists else 1, dtype=torch.int64)
    for row, numbers in zip(rows, lists, strict=True):
        row[: len(numbers)] = torch.tensor(numbers, dtype=torch.int64)
    return rows
