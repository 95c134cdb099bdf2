"""A user's own table of events is read as it is meant, and what is wrong with it is named by its line."""

import numpy as np
import pytest

from torchworks.hybrid_multimodal.data.interactions import InteractionsConfig, events_of
from torchworks.shared.config import UserError
from torchworks.shared.data import check, open_source


@pytest.fixture
def table(tmp_path):
    """Writes a table of 12 users with 12 events each, and further lines; gives its name as a source."""

    def write(*more: str, header: str = "user,item,time,rating,title,genres"):
        lines = [
            f"u{user},{item + 100},{1000 * user + item},{1 + item % 5},Film {item},Drama|Crime"
            for user in range(12) for item in range(12)
        ]  # fmt: skip
        file = tmp_path / "events.csv"
        file.write_text("\n".join([header, *lines, *more]) + "\n")
        return f"ratings:{file}"

    return write


def test_tokens_titles_and_genres_are_kept(table):
    train, test = events_of(open_source(table(), InteractionsConfig()))
    names = train.log.catalogue
    assert names.users[:2] == ("u0", "u1")
    assert names.items[0] == "100"
    assert names.titles[0] == "Film 0"
    assert names.genres[0] == ("Drama", "Crime")
    assert len(test) == 12
    assert len(train) == 132


def test_bad_rows_are_named_by_their_line(table):
    name = table("u1,,5,3,,", "u1,999,soon,3,,", "u1,999,5,many,,", "u1,999,nan,3,,")
    with pytest.raises(UserError, match=r"4 rows that cannot be used: line 146 has no item.*'soon'.*line 148"):
        open_source(name, InteractionsConfig())
    report = check(name, InteractionsConfig())
    assert not report.ok
    assert "line 149 has the time 'nan'" in str(report)
    assert len(open_source(name, InteractionsConfig(skip_bad=True)).train) == 132
    assert check(name, InteractionsConfig(skip_bad=True)).ok


def test_of_an_item_that_a_user_had_twice_the_latest_event_counts(table):
    source = open_source(table("u3,100,2024-05-01T12:00:00,5,,"), InteractionsConfig(split="last"))
    train, test = events_of(source)
    assert any("had the item again later: 1" in note for note in source.notes)
    assert test.log.items[test.log.users == 4].tolist() == [1]  # item 100 is now the last of u3
    assert not np.any(train.log.items[train.log.users == 4] == 1)


def test_titles_can_come_from_a_second_table(table, tmp_path):
    titles = tmp_path / "titles.csv"
    titles.write_text("item,title,genres,year\n100,Fargo,Crime,1996\n")
    name = table(header="user,item,time,rating,x,y")
    train, _ = events_of(open_source(name, InteractionsConfig(titles=titles)))
    assert train.log.catalogue.shown(1) == "Fargo (1996)"
    assert train.log.catalogue.shown(2) == "101"


def test_low_ratings_can_be_left_out(table):
    source = open_source(table(), InteractionsConfig(min_rating=2, split="last"))
    assert all(part.log.ratings.min() >= 2 for part in events_of(source))


@pytest.mark.parametrize(("header", "said"), [("user,thing,time", "lacks the column item"), ("a,b", "lacks")])
def test_a_table_without_the_columns_is_refused(table, header, said):
    with pytest.raises(UserError, match=said):
        open_source(table(header=header), InteractionsConfig())
