"""Series of which some steps are anomalies: the data sources `kdd-tsad` and `signal`.

    kdd-tsad                 series 135 of the UCR anomaly archive (InternalBleeding16), in the package aeon (extra
                             `series`): 1,200 steps without an anomaly to learn from, then 6,301 with a single one
    signal:FILE.csv          a series of one's own, a step in each row: perhaps timestamp, columns of numbers (the
                             channels), perhaps is_anomaly (1 or 0), perhaps split; without that, the end of the series
                             is for testing

A sample is one series: {"series": float32 (T, C), "anomaly": int64 (T,)}. There is no `anomaly` where nothing is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from torchworks.seq_models.data.anomaly_rows import CLASSES, LABELS, OWN, read_rows, usable_columns
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Field, Report, Schema, Source, TensorDataset
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.listing import number_of, some
from torchworks.shared.data.mixed_columns import is_number
from torchworks.shared.data.packaged import packaged_file
from torchworks.shared.data.split import digests, fingerprint
from torchworks.shared.data.text_tables import read_cells
from torchworks.shared.data.time_steps import IrregularStamps, stamp_of, step_between

LICENCE = "the UCR anomaly archive's (Wu and Keogh 2021; through aeon, BSD-3-Clause)"
STAMPS = ("timestamp", "time", "date", "datetime")
FEWEST = 100
"""Steps of a part."""


@dataclass
class Signal:
    """Values (T, C), labels (T,), −1 where unknown, and how many of the first steps are for training (0: unsaid)."""

    columns: tuple[str, ...]
    values: np.ndarray
    labels: np.ndarray
    trained: int = 0
    every: str = ""
    stamps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    irregular: str = ""


def open_kdd(rest: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` without the package."""
    if rest:
        raise UserError(f"The data source 'kdd-tsad' takes nothing after a colon; 'kdd-tsad:{rest}' was given.")
    name = "135_UCR_Anomaly_InternalBleeding16"
    train, test = (
        packaged_file(
            "aeon", f"aeon/datasets/data/KDD-TSAD_135/{name}_{part}.csv", said="The data 'kdd-tsad' lie",
            extra="seq-models[series]", instead="a series of your own: --data signal:FILE.csv", version="1.6",
        )
        for part in ("TRAIN", "TEST")
    )  # fmt: skip
    short, whole = (np.loadtxt(file, delimiter=",", skiprows=1) for file in (train, test))
    assert np.array_equal(whole[: len(short), 1], short[:, 1]), "the test file begins with the training part"
    signal = Signal(("value",), whole[:, 1:2].astype(np.float32), whole[:, 2].astype(int), len(short))
    return _source("kdd-tsad", LICENCE, signal, config)


def open_signal(rest: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` that names the lines that are wrong."""
    file = _path(rest)
    return _source(file.stem, OWN, read_signal(file), config)


def _path(rest: str) -> Path:
    if not rest:
        raise UserError("The data source 'signal' needs the path of a table after it, as in signal:FILE.csv.")
    return Path(rest).expanduser()


def read_signal(file: Path, columns: tuple[str, ...] = ()) -> Signal:
    """A table with a step in each row. Raises `UserError` for cells that are no numbers: a step cannot be left out."""
    cells = read_cells(file, columns)
    stamp = _stamp_column(cells[0][1], columns)
    chosen, notes = columns, []
    if not columns:
        given = {name: [row[name] for _, row in cells] for name in cells[0][1] if name and name != stamp}
        chosen, notes = usable_columns(given, next((name for name in LABELS if name in given), None))
        if not chosen:
            raise UserError(f"{file} has no column of numbers that differ from step to step. {' '.join(notes)}".strip())
    rows = read_rows(file, chosen)
    if rows.wrong:
        raise UserError(
            f"{file} has steps that cannot be used: {len(rows.wrong)} ({some(rows.wrong, 10)}). A step cannot be left "
            "out of a series; fill it, by interpolation for instance."
        )
    signal = Signal(chosen, rows.values, np.array(rows.labels), notes=notes)
    if stamp:
        signal.stamps = [row.get(stamp, "") for _, row in cells]
        signal.every, signal.irregular = _step(signal.stamps)
    parts = rows.parts
    if any(parts):
        signal.trained = sum(part == "train" for part in parts)
        if parts != ["train"] * signal.trained + ["test"] * (len(parts) - signal.trained):
            raise UserError(
                f"{file} must say train in all its first rows and test in all others: a series is in order."
            )
    return signal


def _stamp_column(row: dict[str, str], columns: tuple[str, ...]) -> str | None:
    """The column with the time stamps: one with a usual name, or the first whose cell is a date."""
    others = [name for name in row if name and name not in columns]
    if named := [name for name in STAMPS if name in others]:
        return named[0]
    for name in others:
        try:
            stamp_of(row[name])
        except ValueError:
            continue
        if not is_number(row[name]):
            return name
    return None


def _step(stamps: list[str]) -> tuple[str, str]:
    """The time step as an ISO 8601 duration, or why there is none; neither for whole numbers that count steps."""
    try:
        numbers = [float(stamp) for stamp in stamps]
        return "", "" if all(b > a for a, b in pairwise(numbers)) else "its numbers do not rise"
    except ValueError:
        pass
    try:
        return str(step_between([stamp_of(stamp) for stamp in stamps])), ""
    except (IrregularStamps, ValueError) as error:
        return "", str(error)


def _source(name: str, licence: str, signal: Signal, config: LoaderConfig) -> Source:
    if not signal.columns:
        raise UserError(f"{name} has no column of numbers that differ from step to step.")
    steps = len(signal.values)
    cut = signal.trained or round(steps * (1 - config.test_fraction))
    if min(cut, steps - cut) < FEWEST:
        raise UserError(f"{name} gives {cut} steps for training and {steps - cut} for testing; {FEWEST} of each are "
                        "the fewest. Use a longer series, or change --loader.test-fraction.")  # fmt: skip
    labelled = bool((signal.labels >= 0).any())
    longest = max(cut, steps - cut)
    fields = [Field("series", "series", (longest, len(signal.columns)), signal.columns, ragged=True)]
    fields += [Field("anomaly", "label", (longest,), CLASSES, "int64", ragged=True)] * labelled
    schema = Schema(tuple(fields))

    def part(begin: int, end: int) -> TensorDataset:
        length = torch.tensor([end - begin])
        tensors = {"series": torch.from_numpy(signal.values[None, begin:end].copy()), "series_length": length}
        if labelled:
            tensors |= {"anomaly": torch.from_numpy(signal.labels[None, begin:end].copy()), "anomaly_length": length}
        return TensorDataset(tensors, schema)

    notes = list(signal.notes)
    if signal.irregular:
        notes.append(f"Time stamps are not regular: {signal.irregular}. Steps are taken as they come.")
    mark = fingerprint(digests(signal.values), signal.labels.tolist(), [cut])
    return Source(name, licence, part(0, cut), part(cut, steps), schema, mark, tuple(notes))


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    file = _path(spec.partition(":")[2])
    signal = read_signal(file)
    found = list(_said(signal))
    source = None
    try:
        source = _source(file.stem, OWN, signal, replace(config, skip_bad=True))
        counts = [int(part.tensors["series_length"][0]) for part in (source.train, source.test)
                  if isinstance(part, TensorDataset)]  # fmt: skip
        found.append(Finding("fact", f"The first {counts[0]:,} steps are for training, {counts[1]:,} for testing."))
    except UserError as error:
        found.append(Finding("problem", str(error)))
    return Report(spec, graded(found), source)


def _said(signal: Signal) -> Iterator[Finding]:
    yield from (Finding("warning", note) for note in signal.notes)
    every = f", one each {signal.every}" if signal.every else ""
    yield Finding(
        "fact", f"{number_of(len(signal.values), 'step')}{every}, channels: {some(list(signal.columns), 12)}."
    )
    if signal.irregular:
        yield Finding("warning", f"Time stamps are not regular: {signal.irregular}. Steps are taken as they come.")
    if not (signal.labels >= 0).any():
        yield Finding("warning", "No column is_anomaly says which steps are anomalies: nothing can be scored, and the "
                      "training part is taken to have none.")  # fmt: skip
        return
    edges = np.diff(np.concatenate([[0], signal.labels > 0, [0]]).astype(int))
    yield Finding("fact", f"Anomalies: {int((edges == 1).sum())} stretches, {int((signal.labels > 0).sum())} steps.")


SIGNAL = CheckedOpener(open_signal, _check)
"""For an entry point in the group `torchworks.sources`."""
