"""The command `forecast`, and what `evaluate` does with a forecaster.

Shape letters: S series, T time steps, L steps of the past, H steps of the future, K known columns, Q quantiles.
"""

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from torchworks.seq_models.data.series_config import SeriesConfig
from torchworks.seq_models.data.series_panel import Panel, filled, filled_known, joined, panels_of
from torchworks.seq_models.data.series_read import read_series
from torchworks.seq_models.data.series_times import DAY, calendar
from torchworks.seq_models.forecasting.backtest import scored
from torchworks.seq_models.forecasting.commands import Forecast
from torchworks.seq_models.forecasting.config import ForecastConfig
from torchworks.seq_models.forecasting.opened import open_forecaster
from torchworks.seq_models.forecasting.plots import Drawn, draw_forecasts
from torchworks.seq_models.forecasting.scaling import Scaling
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.shared.config import UserError, nearest
from torchworks.shared.data import open_source
from torchworks.shared.data.listing import some
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file

MOST_PRINTED, MOST_DRAWN = 3, 6
"""Series whose forecasts are printed and drawn."""


@dataclass(frozen=True)
class Ahead:
    """Series and what is known of the steps after them: `known` (S, H, K), their `times` (H,) on the clock, `offsets`
    (H,), and what came, (S, H), NaN where that is not known."""

    panel: Panel
    known: np.ndarray
    times: np.ndarray
    offsets: np.ndarray
    truth: np.ndarray


def forecast(arguments: Forecast) -> int:
    """Print, write and draw the forecasts."""
    inputs = [arguments.file] if arguments.file else []
    if arguments.out is not None:
        prepare_file(arguments.out, overwrite=arguments.overwrite, inputs=inputs)
    if arguments.picture is not None:
        prepare_image_file(arguments.picture, overwrite=arguments.overwrite, inputs=inputs, option="--picture")
    run = open_forecaster(arguments.run, arguments.device)
    ahead = _of_file(run, arguments.file) if arguments.file else _of_run(run)
    chosen = _chosen(ahead.panel, arguments.series)
    ahead = dataclasses.replace(
        ahead, known=ahead.known[chosen], truth=ahead.truth[chosen],
        panel=dataclasses.replace(
            ahead.panel, names=tuple(ahead.panel.names[i] for i in chosen), values=ahead.panel.values[chosen],
            known=ahead.panel.known[chosen], oracle=None,
        ),
    )  # fmt: skip
    quantiles = continued(run, ahead)
    _print(ahead, quantiles, scaling_of(run))
    if arguments.out is not None:
        _write(arguments.out, ahead, quantiles, scaling_of(run))
        print(arguments.out)
    if arguments.picture is not None:
        draw_forecasts(drawn_of(ahead, quantiles), scaling_of(run).levels, arguments.picture)
        print(arguments.picture)
    return 0


def scaling_of(run: FinishedRun) -> Scaling:
    return cast(Scaling, run.predictor.net.scaling)


def _chosen(panel: Panel, names: tuple[str, ...]) -> list[int]:
    for name in names:
        if name not in panel.names:
            raise UserError(
                f"There is no series '{name}'.{nearest(name, panel.names)} There are {some(list(panel.names), 12)}."
            )
    return [i for i, name in enumerate(panel.names) if not names or name in names]


# -------------------------------------------------------------------------------------------------- what to read


def _of_run(run: FinishedRun) -> Ahead:
    """The run's own data, continued; the last steps of them, if nothing is known of those after."""
    config, scaling = cast(ForecastConfig, run.config), scaling_of(run)
    panel = joined(*panels_of(open_source(config.data, config.loader, config.seed)))
    kind, _, rest = config.data.partition(":")
    if kind == "series" and scaling.given:
        table = read_series(rest, config.loader)
        if table.panel is not None and table.known.shape[1] >= scaling.horizon:
            return _after(panel, table.known[:, : scaling.horizon], scaling)
    if not scaling.given:
        return _after(panel, panel.known, scaling)
    print(
        f"Nothing is known of the steps after the end of {config.data}, so its last {scaling.horizon} are forecast. To "
        "continue series, give a file with rows for the steps to come."
    )
    cut = panel.steps - scaling.horizon
    end = panel.part(cut, panel.steps)
    return Ahead(panel.part(0, cut), end.known, end.times, end.offsets, end.values)


def _of_file(run: FinishedRun, file: Path) -> Ahead:
    """A user's own file. Raises `UserError` where it does not suit the run."""
    config, scaling = cast(ForecastConfig, run.config), scaling_of(run)
    given = scaling.columns[: scaling.given]
    loader = config.loader if config.data.partition(":")[0] in ("series", "ett") else SeriesConfig()
    asked = dataclasses.replace(loader, known=given, target=(), season=scaling.season)
    table = read_series(str(file), asked, infer=False)
    if table.problems or table.panel is None:
        raise UserError(f"{file} cannot be used. {' '.join(table.problems)}")
    panel = table.panel
    every = run.predictor.signature.outputs[0].every
    if panel.step.iso != every:
        raise UserError(
            f"{file} has steps of {panel.step.iso}, but the run was trained on steps of {every}. Bring the file to "
            "such steps, or train on it."
        )
    if given and table.known.shape[1] < scaling.horizon:
        raise UserError(
            f"The run reads {some(list(given))} of the {scaling.horizon} steps to forecast, but {file} has "
            f"{table.known.shape[1]} rows after the last value. Add rows with time stamps and these columns, and leave "
            "their values empty."
        )
    rows = _targets(panel.names, loader.target)
    panel = dataclasses.replace(
        panel, names=tuple(panel.names[i] for i in rows), values=panel.values[rows], known=panel.known[rows]
    )
    return _after(panel, table.known[rows, : scaling.horizon], scaling)


def _targets(names: tuple[str, ...], target: tuple[str, ...]) -> list[int]:
    """The series of the columns that the run was trained to forecast, if the file has such; otherwise all."""
    columns = {name.strip().lower() for name in target}
    return [i for i, name in enumerate(names) if name.rpartition("/")[2] in columns] or [*range(len(names))]


def _after(panel: Panel, known: np.ndarray, scaling: Scaling) -> Ahead:
    """The steps after the last one, with the user's known columns `known` (S, H, U) and those of the calendar."""
    known = known if scaling.given else np.zeros((len(panel), scaling.horizon, 0), np.float32)
    times, offsets = panel.following(scaling.horizon)
    made = calendar(times, panel.step)
    columns = [np.broadcast_to(made[name], (len(panel), scaling.horizon)) for name in scaling.columns[scaling.given :]]
    whole = np.concatenate([known, *(each[..., None] for each in columns)], 2).astype(np.float32)
    truth = np.full((len(panel), scaling.horizon), np.nan, np.float32)
    return Ahead(panel, whole, times, offsets, truth)


# ----------------------------------------------------------------------------------------------------- forecast


@torch.no_grad()
def continued(run: FinishedRun, ahead: Ahead) -> np.ndarray:
    """Quantiles (S, H, Q). Raises `UserError` for series that are too short, or largely missing."""
    scaling, panel = scaling_of(run), ahead.panel
    context = scaling.context
    if panel.steps < context:
        raise UserError(f"The series have {panel.steps} steps, but a forecast of this run reads the last {context}.")
    past = panel.values[:, -context:]
    if empty := [name for name, row in zip(panel.names, past, strict=True) if np.isnan(row).mean() > 0.5]:
        raise UserError(
            f"Of {some(empty)}, more than half of the last {context} steps are missing, and a forecast reads just "
            "these. Leave such series out by naming the others with --series."
        )
    columns = [panel.columns.index(name) for name in scaling.columns if name in panel.columns]
    made = calendar(panel.times[-context:], panel.step)
    behind = [filled_known(panel.known[:, -context:, columns[: scaling.given]])]
    behind += [
        np.broadcast_to(made[name][:, None], (len(panel), context, 1)) for name in scaling.columns[scaling.given :]
    ]
    values = filled(panel.values, panel.season)[:, -context:, None]
    series = torch.from_numpy(np.concatenate([values, *behind], 2).astype(np.float32))
    inputs = [series, torch.from_numpy(filled_known(ahead.known))] if scaling.columns else [series]
    return run.compute(*inputs).numpy()


def stamps(ahead: Ahead) -> list[str]:
    """The times as they are written: days alone where a step is a day or more, with their zone if they had one."""
    panel = ahead.panel
    daily = panel.step.months or panel.step.seconds % DAY == 0
    if daily and not (ahead.times.astype("datetime64[D]") != ahead.times).any():
        return [str(time)[:10] for time in ahead.times]
    ends = [f"{minutes // 60:+03}:{abs(minutes) % 60:02}" if panel.zoned else "" for minutes in ahead.offsets.tolist()]
    return [f"{time}{end}" for time, end in zip(ahead.times, ends, strict=True)]


def _print(ahead: Ahead, quantiles: np.ndarray, scaling: Scaling) -> None:
    names = [f"q{level:g}" for level in scaling.levels]
    written = stamps(ahead)
    width = max(map(len, written))
    for name, rows, truth in list(zip(ahead.panel.names, quantiles, ahead.truth, strict=True))[:MOST_PRINTED]:
        print(f"{name or 'value'}")
        came = not np.isnan(truth).all()
        print(f"{'':<{width}}" + "".join(f"{each:>13}" for each in names) + f"{'came':>13}" * came)
        for time, row, value in zip(written, rows, truth, strict=True):
            print(f"{time:<{width}}" + "".join(f"{each:>13.5g}" for each in row) + f"{value:>13.5g}" * came)
        print()
    if (rest := len(quantiles) - MOST_PRINTED) > 0:
        print(f"{rest} more series are not shown. --series NAME shows one, --out FILE.csv writes all.")


def _write(file: Path, ahead: Ahead, quantiles: np.ndarray, scaling: Scaling) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["time", "series", *(f"q{level:g}" for level in scaling.levels)])
        for name, rows in zip(ahead.panel.names, quantiles, strict=True):
            for time, row in zip(stamps(ahead), rows, strict=True):
                writer.writerow([time, name or "value", *(f"{value:.6g}" for value in row)])


def drawn_of(ahead: Ahead, quantiles: np.ndarray) -> list[Drawn]:
    panel = ahead.panel
    shown = min(panel.steps, max(3 * quantiles.shape[1], 2 * panel.season))
    times = np.concatenate([panel.times[-shown:], ahead.times])
    return [
        Drawn(name, times, np.concatenate([values[-shown:], truth]), rows)
        for name, values, truth, rows in zip(panel.names, panel.values, ahead.truth, quantiles, strict=False)
    ][:MOST_DRAWN]


# ----------------------------------------------------------------------------------------------------- evaluate


def evaluate(arguments: Evaluate) -> int:
    """Print and write the scores of the test part, beside those of simpler methods."""
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json"], overwrite=arguments.overwrite)
    run = open_forecaster(arguments.run, arguments.device)
    found = scored(run, arguments.data)
    write_json(folder / "evaluation.json", found.totals)
    found.print_totals()
    print(folder)
    return 0
