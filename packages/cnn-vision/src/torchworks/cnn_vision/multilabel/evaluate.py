"""What `evaluate` says of findings: how well images are ranked by each, and how well it is found at its threshold.

Shape letters: N images, K findings, S pixels.
"""

from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.cnn_vision.classification.metrics import by_finding, findings_scores
from torchworks.cnn_vision.classification.predictor import FindingsPredictor
from torchworks.cnn_vision.inference import answers, report
from torchworks.cnn_vision.inference import plots as pictures
from torchworks.cnn_vision.inference.answers import heat
from torchworks.cnn_vision.multilabel.build import findings_in
from torchworks.cnn_vision.multilabel.task import targets
from torchworks.shared.data import Dataset, labels_of, open_source
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun

MOST_MISTAKES = 18
"""Misses and false alarms in the report, each."""
_PICTURES = {
    "roc": "ROC curves, each with its operating point",
    "calibration": "Calibration: how many images have the finding when it is said to be so probable",
    "misses": "Surest misses: images with the finding and the lowest probability of it",
    "false_alarms": "Surest false alarms: images without the finding and the highest probability of it",
}


def evaluate_findings(run: FinishedRun, data: str | None, folder: Path, beside: dict[str, float]) -> str:
    """Write scores, pictures and report into `folder`; returns the text to print."""
    assert isinstance(run.predictor, FindingsPredictor)
    names, thresholds = run.predictor.signature.outputs[0].labels, run.predictor.thresholds
    parts, places = finding_parts(run, data, names)
    target = torch.cat([targets(labels_of(part), places) for part in parts]).long()
    probability = torch.cat([answers(run, part) for part in parts])
    table = by_finding(probability, target, names, thresholds)
    figures = {
        **findings_scores(probability, target),
        **beside,
        **pointing(run, parts, places, table),
        "n": len(target),
    }
    write_json(folder / "evaluation.json", {**_plain(figures), "findings": [_plain(row) for row in table]})

    pictures.draw_roc(folder / "roc.png", probability, target, names, thresholds)
    pictures.draw_findings_calibration(folder / "calibration.png", probability, target, names)
    found = run.predictor.found(probability)
    for name, wrong, surest in (
        ("misses", ~found & (target == 1), 1 - probability),
        ("false_alarms", found & (target == 0), probability),
    ):
        _draw_mistakes(folder / f"{name}.png", parts, wrong, surest, probability, names)
    title = f"{run.config.recipe} on {data or run.config.data}"
    tables = {
        "Ranking (95 % intervals by DeLong)": [_ranking(row) for row in table],
        "At the threshold (95 % intervals by Wilson)": [_at_threshold(row) for row in table],
    }
    report.write_report(folder, title, figures, tables, _PICTURES)
    return report.text(figures, *tables.values())


def finding_parts(run: FinishedRun, data: str | None, names: tuple[str, ...]) -> tuple[list[Dataset], Tensor]:
    """The run's test images, or all images of another source; and the places (K,) of the findings among the classes, of
    which there may be others. Raises `UserError` for a finding that is not among them."""
    source = open_source(data or run.config.data, run.config.loader)
    _, places = findings_in(source, names)
    return [source.test] if data is None else [source.train, source.test], places


def pointing(run: FinishedRun, parts: list[Dataset], places: Tensor, table: list[dict[str, Any]]) -> dict[str, float]:
    """The pointing game (Zhang et al. 2016, arXiv:1608.00507) where the data know where findings are, in a field `mask`
    of (K, S, S): the share of images with a finding whose hottest place for it lies on it or within a twelfth of the
    image's side of it; and the share that a place chosen by chance reaches. Each row of `table` gains its own, and the
    means over the findings are returned."""
    known = [part for part in parts if "mask" in part[0]]
    for k, (row, place) in enumerate(zip(table, places.tolist(), strict=True) if known else ()):
        samples = [part[i] for part in known for i in range(len(part)) if part[i]["mask"][place].any()]
        area = _dilated(torch.stack([sample["mask"][place] for sample in samples]))
        images = torch.stack([sample["image"] for sample in samples])
        hot = heat(run, images, torch.full((len(images),), k)).flatten(1)
        hit = area.flatten(1).gather(1, hot.argmax(1, keepdim=True))[:, 0] * (hot.amax(1) > 0)
        row |= {"pointing_game": hit.mean().item(), "pointing_game_chance": area.mean().item()}
    names = ("pointing_game", "pointing_game_chance") if known else ()
    return {name: fmean(row[name] for row in table) for name in names}


def _dilated(masks: Tensor) -> Tensor:
    """float32 (N, S, S), grown by a twelfth of S."""
    reach = masks.shape[-1] // 12
    return F.max_pool2d(masks.float()[:, None], 2 * reach + 1, stride=1, padding=reach)[:, 0]


def _draw_mistakes(
    path: Path, parts: list[Dataset], wrong: Tensor, surest: Tensor, probability: Tensor, names: tuple[str, ...]
) -> None:
    """The images and findings that are `wrong` (N, K), by how sure the run was, `surest` (N, K)."""
    places = wrong.nonzero()
    places = places[surest[wrong].argsort(descending=True)][:MOST_MISTAKES].tolist()
    everything = [(part, i) for part in parts for i in range(len(part))]
    images = [everything[i][0][everything[i][1]]["image"] for i, _ in places]
    titles = [f"{names[k]}\n{probability[i, k]:.1%}" for i, k in places]
    pictures.draw_mistakes(path, torch.stack(images) if images else torch.empty(0), titles)


# ---- tables ----------------------------------------------------------------------------------------------


def _ranking(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: row[name] for name in ("finding", "images", "positives")}
    shown |= {"ROC-AUC": _with_interval(row, "auroc"), "average precision": row["average_precision"]}
    shown |= {"calibration error": row["calibration_error"]}
    if "pointing_game" in row:
        shown |= {"pointing game": row["pointing_game"], "by chance": row["pointing_game_chance"]}
    return shown


def _at_threshold(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "finding": row["finding"],
        "threshold": row["threshold"],
        "sensitivity": _with_interval(row, "sensitivity"),
        "specificity": _with_interval(row, "specificity"),
        "PPV": row["ppv"],
        "NPV": row["npv"],
    }


def _with_interval(row: dict[str, Any], name: str) -> str:
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    interval = "" if isnan(low) else f" ({low:.3f}–{high:.3f})"
    return "–" if isnan(value) else f"{value:.3f}{interval}"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """For JSON, which knows no NaN."""
    return {name: None if isinstance(value, float) and isnan(value) else value for name, value in row.items()}
