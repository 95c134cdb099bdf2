"""Events are divided as they are said to be, and nothing of the test part is in training."""

import hashlib

import numpy as np
import pytest
import torch

from torchworks.hybrid_multimodal.data.interactions import (
    TEST,
    TRAIN,
    VALID,
    Catalogue,
    InteractionsConfig,
    Log,
    as_source,
    split_parts,
)
from torchworks.hybrid_multimodal.data.movielens import read_ml100k
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import check, open_source

RECBOLE = "f1785fd27c8fc1d99b42ac4ba708227e0cdb512e6fa1738aee445e7ae2897a04"
"""SHA-256 of the part of each event, in the order of the file, as uint8."""


@pytest.fixture(scope="module")
def films() -> Log:
    return read_ml100k()


def test_the_random_split_is_that_of_recbole(films):
    """Its rule, event by event: permute, group by user, cut 8 : 1 : 1, where a tenth is rounded down."""
    order = torch.randperm(len(films), generator=torch.Generator().manual_seed(2020)).tolist()
    groups: dict[int, list[int]] = {}
    for row in order:
        groups.setdefault(int(films.users[row]), []).append(row)
    wanted = np.full(len(films), TRAIN)
    for rows in groups.values():
        held = int(0.1 * len(rows))
        wanted[rows[len(rows) - 2 * held : len(rows) - held]] = VALID
        wanted[rows[len(rows) - held :]] = TEST
    found = split_parts(films, "random")
    assert (found == wanted).all()
    assert np.bincount(found).tolist() == [80_808, 9_596, 9_596]
    assert hashlib.sha256(found.astype(np.uint8).tobytes()).hexdigest() == RECBOLE


def test_the_last_split_tests_the_last_event_of_each_user(films):
    parts = split_parts(films, "last")
    assert np.bincount(parts).tolist() == [98_114, 943, 943]
    for user in (1, 12, 943):
        rows = np.flatnonzero(films.users == user)
        last = rows[films.times[rows] == films.times[rows].max()][-1]  # of a second the last in the file
        assert parts[last] == TEST


def test_cold_items_are_in_one_part_only(films):
    parts = split_parts(films, "cold-items")
    items = [set(films.items[parts == part].tolist()) for part in (TRAIN, VALID, TEST)]
    assert list(map(len, items)) == [1177, 169, 336]
    assert not items[0] & items[2]
    assert not items[1] & items[2]


@pytest.mark.parametrize("split", ["random", "last"])
def test_no_pair_of_user_and_item_is_in_two_parts(films, split):
    parts = split_parts(films, split)
    pairs = films.users * 10_000 + films.items
    assert len(np.unique(pairs)) == len(pairs)
    assert set(np.unique(parts)) == {TRAIN, VALID, TEST}


def test_spoiled_lines_of_the_films_are_put_right(films):
    names = films.catalogue
    assert names.shown(1412) == "Land Before Time III: The Time of the Great Giving (1995)"
    assert names.shown(1) == "Toy Story (1995)"
    assert names.genres[0] == ("Animation", "Children's", "Comedy")
    assert len(names.genre_names) == 19


def test_check_tells_the_terms_of_the_films():
    report = check("ml-100k", InteractionsConfig())
    assert report.ok
    assert "research only" in str(report)


def test_films_are_refused_by_recipes_of_other_data():
    with pytest.raises(UserError, match="which user chose which item"):
        open_source("ml-100k", LoaderConfig())


def test_a_missing_extra_is_named(monkeypatch):
    import importlib.metadata

    def lacking(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", lacking)
    with pytest.raises(UserError, match=r"hybrid-multimodal\[recommend\]"):
        open_source("ml-100k", InteractionsConfig())


def test_too_few_users_are_refused():
    log = Log(np.array([1, 1, 1]), np.array([1, 2, 3]), np.arange(3), np.ones(3), names(1, 3))
    with pytest.raises(UserError, match="0 users to test with"):
        as_source("few", "none", log, InteractionsConfig())


def names(users: int, items: int) -> Catalogue:
    tokens = tuple(f"i{number}" for number in range(1, items + 1))
    return Catalogue(tuple(f"u{number}" for number in range(1, users + 1)), tokens, tokens, ((),) * items, (0,) * items)
