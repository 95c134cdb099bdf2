"""What is wrong with series that have a class each, said before anything is trained on them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from torchworks.seq_models.data.labelled_series import SeriesTable, repeated_across
from torchworks.seq_models.data.ts_files import divided, open_ts, read_series, source_of
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Dataset, Report
from torchworks.shared.data.findings import FEW, UNEVEN, Finding, graded
from torchworks.shared.data.listing import natural, some


def check_ts(spec: str, config: LoaderConfig, seed: int) -> Report:
    """Raises `UserError` for what cannot be read at all."""
    table, name, licence = read_series(spec.partition(":")[2])
    found = [*_wrong(table, config), *_classes(table), *_lengths(table), *_constant(table), *_repeated(table)]
    found += _across(table, config, seed)
    source = None
    try:
        source = source_of(table, name, licence, replace(config, skip_bad=True), seed)
        counts = f"{len(source.train)} series for training and {len(source.test)} for testing"
        found.append(Finding("fact", f"{counts}, {len(table.channels)} channels. Licence: {licence}."))
    except UserError as error:
        found.append(Finding("problem", str(error)))
    return Report(spec, graded(found), source, draw)


def _wrong(table: SeriesTable, config: LoaderConfig) -> Iterator[Finding]:
    if table.wrong:
        level = "warning" if config.skip_bad else "problem"
        yield Finding(level, f"Series that cannot be used: {len(table.wrong)} ({some(table.wrong, 10)}).")


def _classes(table: SeriesTable) -> Iterator[Finding]:
    counts = Counter(table.labels)
    sizes = some([f"{name} {counts[name]}" for name in sorted(counts, key=natural)], 20)
    yield Finding("fact", f"Series: {len(table.values)}. Classes: {len(counts)} ({sizes}).")
    tiny = [f"{name} ({count})" for name, count in counts.items() if count < FEW]
    if tiny:
        yield Finding("warning", f"Classes with fewer than {FEW} series: {len(tiny)} ({some(tiny)}).")
    if counts and max(counts.values()) > UNEVEN * min(counts.values()):
        yield Finding("warning", f"The largest class has {max(counts.values())} series, the smallest "
                      f"{min(counts.values())}; a net tends to ignore the small one.")  # fmt: skip


def _lengths(table: SeriesTable) -> Iterator[Finding]:
    lengths = [len(each) for each in table.values]
    if not lengths:
        return
    short, long = min(lengths), max(lengths)
    said = (
        f"Steps of a series: {short}" if short == long else f"Steps of a series: {short} to {long}, shorter are padded"
    )
    yield Finding("fact", f"{said}.")
    if long > 10 * short:
        some_short = [name for name, n in zip(table.names, lengths, strict=True) if 10 * n < long]
        yield Finding("warning", f"Series less than a tenth as long as the longest: {len(some_short)} "
                      f"({some(some_short)}).")  # fmt: skip


def _constant(table: SeriesTable) -> Iterator[Finding]:
    """Channels that say nothing: everywhere, or in single series."""
    if not table.values:
        return
    stacked = np.concatenate(table.values)
    names = [name for name, column in zip(table.channels, stacked.T, strict=True) if np.ptp(column) == 0]
    if names:
        yield Finding("warning", f"Channels that are the same everywhere: {len(names)} ({some(names)}).")
    flat = [
        n for n, each in zip(table.names, table.values, strict=True) if (np.ptp(each, 0) == 0).all() and len(each) > 1
    ]
    if flat:
        yield Finding("warning", f"Series that do not change from step to step: {len(flat)} ({some(flat)}).")


def _repeated(table: SeriesTable) -> Iterator[Finding]:
    groups: dict[str, list[int]] = defaultdict(list)
    for i, mark in enumerate(table.digests()):
        groups[mark].append(i)
    twins = [rows for rows in groups.values() if len(rows) > 1]
    torn = [rows for rows in twins if len({table.labels[i] for i in rows}) > 1]
    for level, chosen, text in (("warning", torn, "Equal series with different classes"),
                                ("fact", [rows for rows in twins if rows not in torn], "Equal series")):  # fmt: skip
        named = [" = ".join(table.names[i] for i in rows[:3]) for rows in chosen]
        if named:
            yield Finding(level, f"{text}: {len(named)} ({some(named)}).")


def _across(table: SeriesTable, config: LoaderConfig, seed: int) -> list[Finding]:
    train, test = divided(table, config.test_fraction, seed) if table.values else ((), ())
    same = repeated_across(table, train, test)
    return [Finding("warning", f"Test series that are also in the training part: {len(same)} ({some(same)}).")] * bool(
        same
    )


def draw(dataset: Dataset, path: Path) -> None:
    """Nine series spread over the data, with their classes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(3, 3).flatten()
    rows = np.linspace(0, len(dataset) - 1, min(9, len(dataset))).astype(int).tolist()
    for axis, row in zip(axes, rows, strict=False):
        sample = dataset[row]
        axis.plot(sample["series"].numpy(), linewidth=1)
        axis.set_title(dataset.schema["label"].classes[int(sample["label"])], fontsize=9)
    for axis in axes[len(rows) :]:
        axis.set_axis_off()
    figure.savefig(path, dpi=100)


TS = CheckedOpener(open_ts, check_ts)
"""For an entry point in the group `torchworks.sources`."""
