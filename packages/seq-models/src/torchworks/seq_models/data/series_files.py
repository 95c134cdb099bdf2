"""Sources of a user's own series: `series:FILE.csv`, and `ett:FILE.csv` with the published borders of the ETT data."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from torchworks.seq_models.data.series_config import as_series
from torchworks.seq_models.data.series_panel import Panel, series_source
from torchworks.seq_models.data.series_plots import draw_series
from torchworks.seq_models.data.series_read import SeriesTable, read_series
from torchworks.seq_models.data.series_times import DAY
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.listing import some
from torchworks.shared.data.report import CheckedOpener, Report

LICENCE = "not stated (your own data)"
MONTH = 30
"""Days of a month of the ETT benchmarks, which train on 12 of them, select on 4 and test on 4."""
ETT_CONTEXT, ETT_HORIZON = 336, 96


def usable(path: str, config: LoaderConfig) -> SeriesTable:
    """The table of a file. Raises `UserError` that names its problems, if it has any."""
    if not path:
        raise UserError("Name a file after the colon, as in series:FILE.csv.")
    table = read_series(path, as_series(config))
    if table.problems or table.panel is None:
        said = " ".join(table.problems)
        raise UserError(f"{table.file} cannot be used. {said} `seq-models check series:{path}` says more.")
    return table


def _open_series(rest: str, config: LoaderConfig, seed: int) -> Source:
    table = usable(rest, config)
    return _source(table, config)


def _source(table: SeriesTable, config: LoaderConfig) -> Source:
    panel = table.panel
    assert panel is not None
    tested = max(panel.horizon, round(as_series(config).test_fraction * panel.steps))
    if panel.steps < panel.context + 3 * panel.horizon and panel.steps < 3 * panel.horizon + tested:
        raise UserError(
            f"{table.file} has {panel.steps} steps of {panel.step.iso}. That is too few to learn from: forecasting "
            f"{panel.horizon} steps takes at least {3 * panel.horizon + tested}."
        )
    learned = panel.values[:, : panel.steps - tested]
    if silent := [
        name for name, row in zip(panel.names, learned, strict=True) if len(np.unique(row[~np.isnan(row)])) < 2
    ]:
        raise UserError(
            f"{some(silent)} of {table.file} has no two different values in the first {learned.shape[1]} steps, the "
            "training part. Leave such series out, or change --loader.test-fraction."
        )
    notes = [each.text for each in table.findings if each.level == "warning"]
    return series_source(table.file.stem, LICENCE, panel, tested, notes)


def _open_ett(rest: str, config: LoaderConfig, seed: int) -> Source:
    table = usable(rest, config)
    assert table.panel is not None
    panel, month = _twenty_months(table)
    return series_source(
        table.file.stem, LICENCE, replace(panel, context=ETT_CONTEXT, horizon=ETT_HORIZON, held=4 * month), 4 * month
    )


def _twenty_months(table: SeriesTable) -> tuple[Panel, int]:
    """The steps that the ETT benchmarks use, and how many a month has."""
    panel = table.panel
    assert panel is not None
    if panel.step.months or DAY % panel.step.seconds:
        raise UserError(f"{table.file} has steps of {panel.step.iso}; the ETT benchmarks have parts of a day.")
    month = MONTH * DAY // panel.step.seconds
    if panel.steps < 20 * month:
        raise UserError(
            f"{table.file} has {panel.steps} steps, but the ETT benchmarks train on 12 months, select on 4 and test on "
            f"4: {20 * month} steps. Use series:{table.file}, which divides series of any length."
        )
    return panel.part(0, 20 * month), month


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    kind, _, rest = spec.partition(":")
    if not rest:
        raise UserError(f"Name a file after the colon, as in {kind}:FILE.csv.")
    table = read_series(rest, replace(as_series(config), skip_bad=config.skip_bad))
    findings, source = list(table.findings), None
    if not table.problems and table.panel is not None:
        try:
            source = _open_ett(rest, config, seed) if kind == "ett" else _source(table, config)
            findings += _of_source(source)
        except UserError as error:
            findings.append(Finding("problem", str(error)))
    return Report(spec, graded(findings), source, draw_series)


def _of_source(source: Source) -> Iterator[Finding]:
    train, test = source.train, source.test
    assert isinstance(train, Panel)
    assert isinstance(test, Panel)
    yield Finding("fact", f"{train.steps} steps for training and {test.steps} for testing. Licence: {source.licence}.")


open_series = CheckedOpener(_open_series, _check)
open_ett = CheckedOpener(_open_ett, _check)
