"""Time stamps: what a step is, and which stamps are regular."""

from datetime import datetime, timedelta, timezone

import pytest

from torchworks.shared.data.time_steps import IrregularStamps, TimeStep, stamp_of, step_between


@pytest.mark.parametrize("text", ["PT15M", "PT1H", "PT90S", "P1D", "P1W", "P3D", "P1M", "P3M", "P1Y", "PT0.5S"])
def test_a_step_is_written_as_it_is_read(text):
    assert str(TimeStep.of(text)) == text


@pytest.mark.parametrize("text", ["", "P", "PT", "1H", "P1M1D", "PT0S", "P-1D", "hourly"])
def test_what_is_no_step_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        TimeStep.of(text)


def test_months_are_those_of_the_calendar():
    month, end = TimeStep.of("P1M"), datetime(2024, 1, 31)
    assert [month.after(end, n).date().isoformat() for n in range(4)] == [
        "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30",
    ]  # fmt: skip
    assert month.after(datetime(2024, 1, 15), -1) == datetime(2023, 12, 15)
    month.check([month.after(end, n) for n in range(14)])


@pytest.mark.parametrize("text", ["PT15M", "P1D", "P1W", "P1M", "P3M", "P1Y"])
@pytest.mark.parametrize("first", ["2023-12-31", "2024-02-29 06:00", "2024-05-01T00:00+02:00"])
def test_the_step_of_stamps_is_found(text, first):
    step = TimeStep.of(text)
    stamps = [step.after(stamp_of(first), n) for n in range(13)]
    assert step_between(stamps) == step


def test_clocks_that_are_put_forward_make_no_gap_where_zones_are_told():
    winter, summer = timezone(timedelta(hours=1)), timezone(timedelta(hours=2))
    stamps = [datetime(2024, 3, 31, 1, tzinfo=winter), datetime(2024, 3, 31, 3, tzinfo=summer)]
    assert step_between([*stamps, datetime(2024, 3, 31, 4, tzinfo=summer)]) == TimeStep.of("PT1H")


@pytest.mark.parametrize(
    ("hours", "said", "place"),
    [
        ((0, 1, 2, 4, 5), "after 2024-01-01 02:00:00 comes 2024-01-01 04:00:00, and not 2024-01-01 03:00:00", 3),
        ((0, 1, 1, 2), "2024-01-01 01:00:00 is repeated", 2),
        ((0, 1, 2, 1), "2024-01-01 01:00:00 comes after 2024-01-01 02:00:00", 3),
        ((2, 2), "does not come after", 1),
        ((0,), "one stamp alone", 0),
    ],
)
def test_irregular_stamps_are_named(hours, said, place):
    with pytest.raises(IrregularStamps, match=said) as told:
        step_between([datetime(2024, 1, 1) + timedelta(hours=hour) for hour in hours])
    assert told.value.place == place


def test_stamps_with_and_without_a_zone_do_not_mix():
    with pytest.raises(IrregularStamps, match="some stamps have a time zone"):
        step_between([stamp_of("2024-01-01"), stamp_of("2024-01-02 00:00Z")])


@pytest.mark.parametrize("text", ["2024-05-01", "2024/05/01 00:00", "2024-05", " 2024-05-01T00:00:00 "])
def test_stamps_may_be_written_in_several_ways(text):
    assert stamp_of(text) == datetime(2024, 5, 1)


@pytest.mark.parametrize("text", ["", "01.05.2024", "5/1/2024", "yesterday", "2024-13-01"])
def test_what_could_be_read_in_two_ways_is_no_stamp(text):
    with pytest.raises(ValueError, match=r"."):
        stamp_of(text)
