"""Series as data: own tables with what is wrong with them, generated and packaged series."""

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

from torchworks.seq_models.data.check_config import CheckConfig
from torchworks.seq_models.data.music_config import MusicConfig
from torchworks.seq_models.data.series_config import SeriesConfig
from torchworks.seq_models.data.series_demand import Options, cafes
from torchworks.seq_models.data.series_panel import filled, joined, panels_of
from torchworks.seq_models.data.series_read import read_series
from torchworks.seq_models.data.series_times import Step, commonest_step, parse_step, parse_time
from torchworks.seq_models.data.table_config import TableConfig
from torchworks.shared.config import TextConfig, UserError
from torchworks.shared.data import check, open_source

CONFIG = SeriesConfig()


def table(tmp_path: Path, lines: list[str], name: str = "own.csv") -> str:
    file = tmp_path / name
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def hourly(count: int, first: str = "2024-01-01T00") -> list[str]:
    return [str(time) for time in np.datetime64(first, "h") + np.arange(count)]


def said(tmp_path: Path, lines: list[str], config: SeriesConfig = CONFIG) -> list[str]:
    return [f"{each.level}: {each.text}" for each in read_series(table(tmp_path, lines), config).findings]


def test_wide_and_long_tables_are_the_same_series(tmp_path):
    times = hourly(30)
    wide = table(tmp_path, ["time,a,b", *(f"{time},{i % 7},{i % 5}" for i, time in enumerate(times))])
    rows = [f"{time},{name},{i % m}" for i, time in enumerate(times) for name, m in (("a", 7), ("b", 5))]
    long = table(tmp_path, ["time,series,value", *rows], "long.csv")
    first, second = read_series(wide, CONFIG).panel, read_series(long, CONFIG).panel
    assert first is not None
    assert second is not None
    assert first.names == second.names == ("a", "b")
    np.testing.assert_array_equal(first.values, second.values)
    assert (first.step.iso, first.season) == ("PT1H", 24)


def test_columns_that_go_on_after_the_values_are_known_in_advance(tmp_path):
    lines = ["time,value,holiday", *(f"{t},{i % 7},{i % 2}" for i, t in enumerate(hourly(30)))]
    lines += [f"{time},,1" for time in hourly(6, "2024-01-02T06")]
    read = read_series(table(tmp_path, lines), CONFIG)
    assert read.panel is not None
    assert read.panel.columns == ("holiday", "hour_of_day", "day_of_week")
    assert read.panel.steps == 30
    assert read.known[0, :, 0].tolist() == [1] * 6


def test_every_defect_is_named_with_its_line(tmp_path):
    times = hourly(40)
    lines = ["time,value,flat", *(f"{time},{i % 7},5" for i, time in enumerate(times))]
    lines[3] = f"{times[2]},x7,5"
    lines[10], lines[11] = lines[11], lines[10]
    lines[20] = lines[19]
    lines[30] = f"{times[29]}:10:00,3,5"
    found = "\n".join(said(tmp_path, lines))
    assert "problem: Cells of 'value' that are no number: line 4 ('x7')" in found
    assert "warning: Rows that are earlier than the one before, put in order: line 12" in found
    assert "problem: Time stamps that are repeated: line 20 (again in 21)" in found
    assert "problem: Rows off the steps of PT1H: line 31" in found
    assert "problem: Series that never change: flat" in found
    assert "warning: Gaps, filled by the value a season before: value: 3 steps" in found


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["time,value", "2024-01-01,1", "soon,2"], "cannot be read: line 3"),
        (["time,value", "2024-01-01T00:00Z,1", "2024-01-01T01:00,2"], "without a zone among others with one: line 3"),
        (["time,value", *(f"2024-01-{1 + i * i % 29:02},{i}" for i in range(1, 9))], "irregular"),
    ],
)
def test_times_that_cannot_be_put_on_steps_are_a_problem(tmp_path, lines, message):
    assert message in "\n".join(said(tmp_path, lines))
    with pytest.raises(UserError, match="cannot be used"):
        open_source(f"series:{tmp_path}/own.csv", CONFIG)


def test_a_clock_put_forward_makes_no_gap_where_stamps_have_a_zone(tmp_path):
    utc = np.datetime64("2024-03-30T20", "h") + np.arange(30)
    zones = [1 if time < np.datetime64("2024-03-31T01", "h") else 2 for time in utc]
    stamps = [f"{time + zone}:00:00+0{zone}:00" for time, zone in zip(utc, zones, strict=True)]
    read = read_series(table(tmp_path, ["time,value", *(f"{s},{i % 5}" for i, s in enumerate(stamps))]), CONFIG)
    assert read.panel is not None
    assert not np.isnan(read.panel.values).any()
    assert [str(time) for time in read.panel.times[4:6]] == ["2024-03-31T01:00:00", "2024-03-31T03:00:00"]
    after, offsets = read.panel.following(2)
    assert str(after[0]) == "2024-04-01T04:00:00"
    assert offsets.tolist() == [120, 120]


def test_months_are_steps_whatever_their_length(tmp_path):
    months = np.datetime64("2020-01", "M") + np.arange(40)
    read = read_series(table(tmp_path, ["date,value", *(f"{m}-01,{i % 12}" for i, m in enumerate(months))]), CONFIG)
    assert read.panel is not None
    assert (read.panel.step.iso, read.panel.season, read.panel.steps) == ("P1M", 12, 40)
    assert str(read.panel.following(1)[0][0])[:10] == "2023-05-01"
    ends = (months.astype("datetime64[D]") - 1).astype("datetime64[s]")
    assert commonest_step(ends) == Step(months=1)


def test_options_name_columns_and_the_step(tmp_path):
    lines = ["when,north,south,sun", *(f"{t},{i % 7},{i % 5},{i % 3}" for i, t in enumerate(hourly(40)))]
    config = SeriesConfig(time="when", target=("south",), known=("sun",), season=5)
    read = read_series(table(tmp_path, lines), config).panel
    assert read is not None
    assert (read.names, read.columns[:1], read.season) == (("south",), ("sun",), 5)
    with pytest.raises(UserError, match="Did you mean 'south'"):
        read_series(table(tmp_path, lines), SeriesConfig(target=("soth",)))


def test_check_and_open_agree(tmp_path):
    good = table(tmp_path, ["time,value", *(f"{t},{(i * 7) % 24}" for i, t in enumerate(hourly(700)))])
    report = check(f"series:{good}", TextConfig())
    assert report.ok
    report.picture(tmp_path / "nine.png")
    train, test = panels_of(open_source(f"series:{good}", CONFIG))
    assert (train.steps, test.steps) == (560, 140)
    np.testing.assert_array_equal(joined(train, test).values[0], [(i * 7) % 24 for i in range(700)])


def test_check_takes_what_says_how_data_of_each_kind_are_read(tmp_path):
    lines = ["when,north,south,sun", *(f"{t},{i % 7},{i % 5},{i % 3}" for i, t in enumerate(hourly(400)))]
    given = CheckConfig(target=("south",), known=("sun",), season=5)
    report = check(f"series:{table(tmp_path, lines)}", given)
    assert report.source is not None
    train, _ = panels_of(report.source)
    assert (train.names, train.columns[:1], train.season) == (("south",), ("sun",), 5)
    assert TableConfig.of(given, "table").target == "south"
    assert MusicConfig.of(CheckConfig(voices=3), "midi").voices == 3
    assert check("counterpoint:train=20,test=10", CheckConfig()).ok


def test_the_ett_form_has_the_published_borders(tmp_path):
    hours = np.datetime64("2016-07-01", "h") + np.arange(20 * 30 * 24 + 50)
    rows = [f"{str(hour).replace('T', ' ')}:00:00,{i % 24},{i % 7}" for i, hour in enumerate(hours)]
    source = open_source(f"ett:{table(tmp_path, ['date,HUFL,OT', *rows])}", CONFIG)
    train, test = panels_of(source)
    assert (train.steps, train.held, test.steps) == (16 * 720, 4 * 720, 4 * 720)
    assert train.names == ("hufl", "ot")
    assert (train.context, train.horizon) == (336, 96)


def test_gaps_are_filled_by_the_season_before():
    row = np.array([[np.nan, 1, 2, 3, np.nan, 5, np.nan]], np.float32)
    assert filled(row, 3)[0].tolist() == [1, 1, 2, 3, 1, 5, 3]


def test_times_and_steps_in_words():
    assert parse_time("2024/3/1 14:00:00")[0].isoformat() == "2024-03-01T14:00:00"
    assert parse_time("2024-03-31T14:30:00+02:00")[1] == 120
    assert [parse_step(text).iso for text in ("PT30M", "P7D", "P3M", "P1Y")] == ["PT30M", "P1W", "P3M", "P1Y"]
    with pytest.raises(UserError, match="ISO 8601"):
        parse_step("hourly")


# ---------------------------------------------------------------------------------------------------- generated


def test_the_cafes_follow_from_the_seed_and_nothing_of_the_test_part_is_in_training():
    source = open_source("demand:series=3,days=200", CONFIG, 1)
    again, other = (open_source("demand:series=3,days=200", CONFIG, seed) for seed in (1, 2))
    assert source.fingerprint == again.fingerprint != other.fingerprint
    train, test = panels_of(source)
    assert (train.times[-1] < test.times).all()
    assert (joined(train, test).values > 0).all()


def test_nobody_forecasts_the_cafes_better_than_the_oracle():
    """Its quantiles hold as many values as they say, and its median errs as the noise does."""
    panel = cafes(Options(series=30, days=300), 0)
    assert panel.oracle is not None
    row, origin = (grid.ravel() for grid in np.meshgrid(np.arange(30), np.arange(60, 280)))
    levels = (0.1, 0.5, 0.9)
    found = panel.oracle.part(50, 300).quantiles(row, origin - 50, 1, levels)[:, 0]
    truth = panel.values[row, origin]
    for level, quantile in zip(levels, found.T, strict=True):
        assert abs((truth <= quantile).mean() - level) < 0.03
    assert np.std(np.log(truth / found[:, 1])) == pytest.approx(np.sqrt(0.08**2 + 0.03**2), rel=0.05)


# ----------------------------------------------------------------------------------------------------- packaged


def installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "package", "steps", "series"),
    [("taylor", "pmdarima", 4032, 1), ("temperatures", "vega_datasets", 8760, 2), ("water-flow", "river", 1379, 1)],
)
def test_packaged_series_are_read_without_importing_their_package(name, package, steps, series):
    if not installed(package):
        pytest.skip(f"{package} is not installed")
    panel = joined(*panels_of(open_source(name, CONFIG)))
    assert panel.values.shape == (series, steps)
    if name == "taylor":
        assert (panel.values.min(), panel.values.max()) == (18640, 38777)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(UserError, match=r"seq-models\[series\]"):
        open_source("taylor", CONFIG)
