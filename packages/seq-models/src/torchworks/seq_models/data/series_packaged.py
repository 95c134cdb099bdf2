"""Real series that come with the packages of the extra `series`: their files are read, nothing of them is imported.

| name | what | steps |
|---|---|---|
| taylor | electricity demand in England and Wales (MW), June to August 2000, from pmdarima | 4,032 half-hours |
| temperatures | normal temperatures of San Francisco and Seattle (°F), from vega_datasets | 2 × 8,759 hours |
| water-flow | flow of water in a supply system (l/s), from river | 1,268 hours |
"""

import ast
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from torchworks.seq_models.data.series_config import as_series
from torchworks.seq_models.data.series_panel import Panel, series_source, with_calendar
from torchworks.seq_models.data.series_read import read_series
from torchworks.seq_models.data.series_times import Step
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.packaged import packaged_file

HALF_HOUR = 1800
WEEK, DAY = 336, 48
"""Half-hours."""
INSTEAD = "demand, which is generated, or a file of your own: --data series:FILE.csv"


def _file(name: str, package: str, path: str, version: str) -> Path:
    return packaged_file(
        package, path, said=f"The data '{name}' lie", extra="seq-models[series]", instead=INSTEAD, version=version
    )


def _no_options(name: str, rest: str) -> None:
    if rest:
        raise UserError(f"The data source '{name}' takes nothing after a colon; '{rest}' was given.")


def open_taylor(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The last two weeks are for testing, with a forecast of a day every six hours."""
    _no_options("taylor", rest)
    values = literal(_file("taylor", "pmdarima", "pmdarima/datasets/taylor.py", "2.1.1"), "rslt")
    steps = len(values)
    times = np.datetime64("2000-06-05", "s") + (np.arange(steps) * HALF_HOUR).astype("timedelta64[s]")
    panel = Panel(
        names=("demand",), values=values[None].astype(np.float32), known=np.zeros((1, steps, 0), np.float32),
        columns=(), times=times, offsets=np.zeros(steps, np.int64), step=Step(seconds=HALF_HOUR), season=WEEK,
        context=2 * WEEK, horizon=DAY, stride=DAY // 4,
    )  # fmt: skip
    licence = "MIT (Taylor 2003, half-hourly electricity demand; through pmdarima)"
    return series_source("taylor", licence, with_calendar(panel), 2 * WEEK)


def literal(file: Path, name: str) -> np.ndarray:
    """The numbers of the array that a file of Python gives this name to, read without running it. Raises `UserError` if
    there is none."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name):
            continue
        for part in ast.walk(node.value):
            if isinstance(part, ast.List):
                return np.array(ast.literal_eval(part), np.float64)
    raise UserError(f"{file} has no list of numbers called {name}: it is of another version than this was made for.")


def open_temperatures(rest: str, config: LoaderConfig, seed: int) -> Source:
    """Both cities' hours of a year."""
    _no_options("temperatures", rest)
    rows = []
    for city, path in (("san-francisco", "sf-temps.csv"), ("seattle", "seattle-temps.csv")):
        file = _file("temperatures", "vega_datasets", f"vega_datasets/_data/{path}", "0.9.0")
        header, *lines = file.read_text(encoding="utf-8").splitlines()
        temp, date = (header.split(",").index(name) for name in ("temp", "date"))
        rows += [f"{cells[date]},{city},{cells[temp]}" for cells in (line.split(",") for line in lines)]
    text = "\n".join(["time,series,value", *rows])
    panel = _read("temperatures", text, config)
    licence = "BSD-3-Clause (climate normals of NOAA, public domain; through vega_datasets)"
    return series_source("temperatures", licence, *panel)


def open_water_flow(rest: str, config: LoaderConfig, seed: int) -> Source:
    """Hours with their zone."""
    _no_options("water-flow", rest)
    file = _file("water-flow", "river", "river/datasets/water-flow.csv", "0.26.0")
    panel = _read("water-flow", file.read_text(encoding="utf-8"), config)
    licence = "BSD-3-Clause (through river)"
    return series_source("water-flow", licence, *panel)


def _read(name: str, text: str, config: LoaderConfig) -> tuple[Panel, int, list[str]]:
    """The panel of a table, its steps for testing, and notes; files in packages are read as a user's own are."""
    own = as_series(config)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.csv"
        file.write_text(text, encoding="utf-8")
        table = read_series(str(file), replace(own, time="", series="", target=(), known=(), every=""))
    if table.problems or table.panel is None:
        raise UserError(f"The data '{name}' are of another version than this was made for: {' '.join(table.problems)}")
    notes = [each.text for each in table.findings if each.level == "warning"]
    return table.panel, round(own.test_fraction * table.panel.steps), notes
