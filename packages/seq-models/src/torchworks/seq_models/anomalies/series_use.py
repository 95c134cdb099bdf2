"""What `find-anomalies` and `evaluate` do with steps of a series.

Shape letters: T steps, C channels.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.seq_models.anomalies.commands import FindAnomalies
from torchworks.seq_models.anomalies.metrics import alarms, place_found, ranked, stretches_of
from torchworks.seq_models.anomalies.plots import draw_series
from torchworks.seq_models.anomalies.rows_use import print_metrics
from torchworks.seq_models.anomalies.series_build import Timeline
from torchworks.seq_models.data.anomaly_series import Signal, read_signal
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare

BASELINES = ("auroc_", "average_precision_", "place_found_")
MOST_STEPS = 1_000_000
AROUND = 200
"""Steps before and after the highest score in a picture of its own."""
APART = 20
"""Steps without an alarm after which the next one is another stretch."""


@torch.no_grad()
def computed(run: FinishedRun, series: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (T,), above 0 for alarms, and each channel's surprise beyond the usual, (T, C)."""
    length = torch.tensor([len(series)], device=run.device)
    score, surprise, *_ = run.predictor.eval()(series[None].to(run.device), length)
    return score[0, :, 0].cpu(), surprise[0].cpu()


def find(run: FinishedRun, arguments: FindAnomalies) -> None:
    """Print the stretches of alarms of the series in a file, and write or draw what is asked for."""
    columns = run.predictor.signature.inputs[0].labels
    signal = read_signal(arguments.file, columns)
    if len(signal.values) > MOST_STEPS:
        raise UserError(f"{arguments.file} has {len(signal.values):,} steps, but {MOST_STEPS:,} are the most. Cut it.")
    score, surprise = computed(run, torch.from_numpy(signal.values))
    if arguments.alarm_rate is not None:
        score = score - float(np.quantile(score.double().numpy(), 1 - arguments.alarm_rate))
    found = sorted(_stretches(score), key=lambda each: -float(score[each[0] : each[1]].max()))
    for begin, end in found[: arguments.n]:
        peak = begin + int(score[begin:end].argmax())
        channel = columns[int(surprise[begin:end].mean(0).argmax())]
        print(f"{_named(signal, begin)} to {_named(signal, end - 1)}  highest score {float(score[peak]):+.1f} at "
              f"{_named(signal, peak)}  {channel}")  # fmt: skip
    print(f"Alarms: {len(found):,} stretches, {int((score > 0).sum()):,} of {len(score):,} steps.")
    if arguments.out is not None:
        _write(arguments.out, signal, score, surprise)
        print(arguments.out)
    if arguments.picture is not None:
        known = signal.labels if (signal.labels >= 0).all() else None
        draw_series(arguments.picture, signal.values, score.numpy(), columns, truth=known)
        print(arguments.picture)


def _stretches(score: Tensor) -> list[tuple[int, int]]:
    """Stretches of alarms, those joined that are hardly apart."""
    joined: list[tuple[int, int]] = []
    for begin, end in stretches_of((score > 0).numpy()):
        if joined and begin - joined[-1][1] < APART:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


def _named(signal: Signal, step: int) -> str:
    return signal.stamps[step] if signal.stamps else f"step {step + 1}"


def _write(file: Path, signal: Signal, score: Tensor, surprise: Tensor) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["timestamp" if signal.stamps else "step", "score", "alarm",
                         *(f"surprise {name}" for name in signal.columns)])  # fmt: skip
        for i, (value, each) in enumerate(zip(score.tolist(), surprise.tolist(), strict=True)):
            name = signal.stamps[i] if signal.stamps else i + 1
            writer.writerow([name, f"{value:.4f}", int(value > 0), *(f"{x:.4f}" for x in each)])


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Score the test part again, or that of other data with the same channels, and draw it."""
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "series.png", "highest.png"], overwrite=arguments.overwrite)
    columns = run.predictor.signature.inputs[0].labels
    source = open_source(arguments.data or run.config.data, run.config.loader, run.config.seed)
    (field,) = source.need("series")
    if field.classes != columns:
        raise UserError(f"{arguments.data} has the channels {', '.join(field.classes)}, but the model reads "
                        f"{', '.join(columns)}.")  # fmt: skip
    line = Timeline.of(source, 0.0)
    score, _ = computed(run, line.series)
    tested, label = score[line.test :], line.anomaly[line.test :]
    highest = int(tested.argmax())
    metrics: dict[str, Any] = {"n": len(tested), "highest_score_at_step": line.test + highest + 1}
    known = None
    if bool((label >= 0).all()):
        known = label.numpy()
        metrics |= {"anomalous_steps": int((label > 0).sum())} | ranked(tested, label) | place_found(tested, label)
        metrics |= alarms(tested, label, 0.0)
    if arguments.data is None:
        result = json.loads((arguments.run / "result.json").read_text(encoding="utf-8"))
        metrics |= {name: value for name, value in result.items() if name.startswith(BASELINES)}
    write_json(folder / "evaluation.json", metrics)
    values = line.series[line.test :].numpy()
    draw_series(folder / "series.png", values, tested.numpy(), columns, line.test + 1, known)
    near = slice(max(0, highest - AROUND), highest + AROUND)
    draw_series(folder / "highest.png", values[near], tested[near].numpy(), columns, line.test + 1 + near.start,
                None if known is None else known[near])  # fmt: skip
    print_metrics(metrics)
    print(folder)
    return 0
