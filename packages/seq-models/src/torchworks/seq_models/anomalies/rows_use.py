"""What `find-anomalies` and `evaluate` do with rows of a table.

Shape letters: N rows, D columns.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.seq_models.anomalies.commands import FindAnomalies
from torchworks.seq_models.anomalies.metrics import alarms, by_surprise, ranked
from torchworks.seq_models.anomalies.plots import draw_columns, draw_ranking
from torchworks.seq_models.data.anomaly_rows import Rows, read_rows
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.seq_models.inference.inputs import refuse_wrong
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source, resident
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare

BATCH = 4096
DRAWN = 20
BASELINES = ("auroc_", "average_precision_")


@torch.no_grad()
def computed(run: FinishedRun, features: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (N,), above 0 for alarms, and each column's surprise beyond the usual, (N, D)."""
    parts = [run.predictor.eval()(rows.to(run.device)) for rows in features.split(BATCH)]
    score, surprise = (torch.cat(each).cpu() for each in zip(*parts, strict=True))
    return score, surprise


def find(run: FinishedRun, arguments: FindAnomalies) -> None:
    """Print the alarms among the rows of a file, and write or draw what is asked for. Raises `UserError` that names the
    rows that cannot be read, once all others are done."""
    columns = run.predictor.signature.inputs[0].labels
    rows = read_rows(arguments.file, columns)
    count = len(rows.lines) + len(rows.wrong)
    if not rows.lines:
        refuse_wrong(rows.wrong, count, "Rows that cannot be used")
    features = torch.from_numpy(rows.values)
    score, surprise = computed(run, features)
    if arguments.alarm_rate is not None:
        score = score - float(np.quantile(score.double().numpy(), 1 - arguments.alarm_rate))
    order = score.argsort(descending=True, stable=True)
    strange = order[score[order] > 0]
    for i, telling in zip(strange[: arguments.n].tolist(), by_surprise(surprise[strange[: arguments.n]],
                          torch.zeros(len(columns)), columns), strict=True):  # fmt: skip
        said = ", ".join(f"{name} {rows.values[i, columns.index(name)]:g} ({value:+.1f})" for name, value in telling)
        print(f"line {rows.lines[i]}  score {float(score[i]):+.1f}  {said}")
    print(f"Alarms: {len(strange):,} of {len(score):,} rows ({len(strange) / len(score):.1%}).")
    if arguments.out is not None:
        _write(arguments.out, rows, score, surprise, columns)
        print(arguments.out)
    if arguments.picture is not None:
        shown = order[: arguments.n]
        names = [f"line {rows.lines[i]}" for i in shown.tolist()]
        draw_columns(arguments.picture, names, rows.values[shown.numpy()], surprise[shown].numpy(), columns)
        print(arguments.picture)
    refuse_wrong(rows.wrong, count, "Rows that cannot be used")


def _write(file: Path, rows: Rows, score: Tensor, surprise: Tensor, columns: tuple[str, ...]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["line", "score", "alarm", *(f"surprise {name}" for name in columns)])
        for line, value, each in zip(rows.lines, score.tolist(), surprise.tolist(), strict=True):
            writer.writerow([line, f"{value:.4f}", int(value > 0), *(f"{x:.4f}" for x in each)])


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Score the test part again, or all rows of other data, and draw how scores rank and the strangest rows."""
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "ranking.png", "strangest.png"], overwrite=arguments.overwrite)
    columns = run.predictor.signature.inputs[0].labels
    source = open_source(arguments.data or run.config.data, run.config.loader, run.config.seed)
    (field,) = source.need("features")
    if set(columns) - set(field.classes):
        raise UserError(f"{arguments.data} lacks the columns {', '.join(sorted(set(columns) - set(field.classes)))}.")
    parts = [resident(part) for part in ((source.test,) if arguments.data is None else (source.train, source.test))]
    features = torch.cat([part.tensors["features"] for part in parts])[:, [field.classes.index(n) for n in columns]]
    score, surprise = computed(run, features)
    metrics: dict[str, Any] = {"n": len(score)}
    if "label" in source.schema:
        label = torch.cat([part.tensors["label"] for part in parts])
        metrics |= {"anomalies": int((label > 0).sum())} | ranked(score, label) | alarms(score, label, 0.0)
        if (label > 0).any() and not (label > 0).all():
            draw_ranking(folder / "ranking.png", score.numpy(), label.numpy())
    if arguments.data is None:
        result = json.loads((arguments.run / "result.json").read_text(encoding="utf-8"))
        metrics |= {name: value for name, value in result.items() if name.startswith(BASELINES)}
    write_json(folder / "evaluation.json", metrics)
    shown = score.argsort(descending=True, stable=True)[:DRAWN]
    known = (f" ({source.schema['label'].classes[int(label[i])]})" for i in shown) if "label" in source.schema else None
    names = [f"row {i}{next(known) if known else ''}" for i in shown.tolist()]
    draw_columns(folder / "strangest.png", names, features[shown].numpy(), surprise[shown].numpy(), columns)
    print_metrics(metrics)
    print(folder)
    return 0


def print_metrics(metrics: dict[str, Any]) -> None:
    width = max(map(len, metrics)) + 2
    for name, value in metrics.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
