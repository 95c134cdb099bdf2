"""Exercises of lesson 24, recommendation. Put your code where `...` stands, then:
make check-lesson NAME=recommendation"""

from torch import Tensor


def last_events(users: Tensor, times: Tensor) -> Tensor:
    """Which events (E,) are the last of their user, bool (E,): exactly one of each user.

    Events are in any order. Of events of the same second, the one that stands further down counts as later.
    """
    ...


def recommend(scores: Tensor, known: Tensor, k: int) -> list[int]:
    """The numbers of the `k` items with the best scores, the best first, of those that are not known.

    `scores` (I,), `known` bool (I,). If fewer than `k` are unknown, return fewer. `scores` stays as it is.
    """
    ...


def catalogue_shares(lists: Tensor, items: int) -> tuple[float, float]:
    """Of recommendations (N, K), numbers of items from 0 to `items` - 1: the share of the catalogue that occurs in them
    at all, and the share of all recommendations that fall on the most recommended tenth of the catalogue.

    A tenth is `items // 10` items.
    """
    ...
