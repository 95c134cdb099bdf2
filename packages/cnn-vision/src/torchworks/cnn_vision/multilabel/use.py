"""The commands `predict`, `evaluate` and `explain` for a finished multi-label classifier.

Shape letters: N images, C channels, S pixels, K labels.
"""

from collections.abc import Iterator
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.cnn_vision.inference.commands import Evaluate, Explain, Predict
from torchworks.cnn_vision.inference.explain import explain_files
from torchworks.cnn_vision.inference.gradcam import heat_of
from torchworks.cnn_vision.multilabel import plots
from torchworks.cnn_vision.multilabel.labels import open_labels, targets
from torchworks.cnn_vision.multilabel.metrics import by_label, multilabel_scores
from torchworks.cnn_vision.multilabel.predictor import MultilabelPredictor
from torchworks.shared.data import Dataset, labels_of, open_source
from torchworks.shared.inference import report
from torchworks.shared.inference.files import Prediction, predict_files
from torchworks.shared.inference.plots import draw_heat, draw_images
from torchworks.shared.inference.resized import dataset_probabilities, probabilities, resized
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import file_name, prepare

MOST_MISTAKES = 18
"""Misses and false alarms in the report, each."""
_PLOTS = {
    "roc": "ROC curves, each with its operating point",
    "calibration": "Calibration: share of images with the label by predicted probability",
    "misses": "Most confident misses: images with the label and the lowest probability of it",
    "false_alarms": "Most confident false alarms: images without the label and the highest probability of it",
}


def predictor_of(run: FinishedRun) -> MultilabelPredictor:
    """The run's predictor."""
    assert isinstance(run.predictor, MultilabelPredictor)
    return run.predictor


# ---- predict ---------------------------------------------------------------------------------------------


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print the most probable labels of each image, and those at or above their threshold."""
    predictor = predictor_of(run)
    names = predictor.signature.outputs[0].labels

    def predictions(images: list[Tensor]) -> Iterator[Prediction]:
        probability = probabilities(run, torch.stack(images))
        for row, positive in zip(probability, predictor.positive(probability).tolist(), strict=True):
            columns = [*map(int, positive), *(f"{value:.6f}" for value in row.tolist())]
            yield Prediction(line(names, row, positive, arguments.top), [columns])

    predict_files(
        arguments.images,
        lambda path: resized(path, run),
        predictions,
        columns=[*(f"{name}_found" for name in names), *names],
        table=arguments.csv,
        overwrite=arguments.overwrite,
    )
    return 0


def line(names: tuple[str, ...], row: Tensor, positive: list[bool], top: int) -> str:
    """The `top` most probable labels of an image with probabilities `row` (K,), and all that are `positive`, marked."""
    values, places = (part.tolist() for part in row.sort(descending=True))
    return "  ".join(
        f"{names[place]} {value:.1%}{' (found)' * positive[place]}"
        for rank, (value, place) in enumerate(zip(values, places, strict=True))
        if rank < top or positive[place]
    )


# ---- evaluate --------------------------------------------------------------------------------------------


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Write scores, plots and report, and print tables."""
    folder = arguments.out or arguments.run / "evaluation"
    written = ["evaluation.json", "roc.png", "calibration.png", "misses.png", "false_alarms.png", "report.html"]
    prepare(folder, written, overwrite=arguments.overwrite or arguments.out is None)
    predictor = predictor_of(run)
    names, thresholds = predictor.signature.outputs[0].labels, predictor.thresholds
    parts, places = test_parts(run, arguments.data, names)
    target = torch.cat([targets(labels_of(part), places) for part in parts]).long()
    probability = torch.cat([dataset_probabilities(run, part) for part in parts])
    table = by_label(probability, target, names, thresholds)
    metrics = {
        **multilabel_scores(probability, target),
        **(report.baselines(run.folder) if arguments.data is None else {}),
        **pointing(run, parts, places, table),
        "n": len(target),
    }
    write_json(folder / "evaluation.json", {**_plain(metrics), "labels": [_plain(row) for row in table]})
    plots.draw_roc(folder / "roc.png", probability, target, names, thresholds)
    plots.draw_calibration(folder / "calibration.png", probability, target, names)
    positive = predictor.positive(probability)
    misses, false_alarms = ~positive & (target == 1), positive & (target == 0)
    _draw_mistakes(folder / "misses.png", parts, misses, 1 - probability, probability, names)
    _draw_mistakes(folder / "false_alarms.png", parts, false_alarms, probability, probability, names)
    title = f"{run.config.recipe} on {arguments.data or run.config.data}"
    tables = {
        "Ranking (95 % intervals by DeLong)": [_ranking(row) for row in table],
        "At the threshold (95 % intervals by Wilson)": [_at_threshold(row) for row in table],
    }
    report.write_report(folder, title, metrics, tables, _PLOTS)
    print(report.text(metrics, *tables.values()))
    print(folder)
    return 0


def test_parts(run: FinishedRun, data: str | None, names: tuple[str, ...]) -> tuple[list[Dataset], Tensor]:
    """The run's test images, or all images of another source; and the places (K,) of the labels among the classes, of
    which there may be others. Raises `UserError` for a label that is not among them."""
    source = open_source(data or run.config.data, run.config.loader)
    _, places = open_labels(source, names)
    return [source.test] if data is None else [source.train, source.test], places


def pointing(run: FinishedRun, parts: list[Dataset], places: Tensor, table: list[dict[str, Any]]) -> dict[str, float]:
    """The pointing game (Zhang et al. 2016, arXiv:1608.00507) for data with the region of each label in a field `mask`
    of (K, S, S): the share of images with a label whose hottest place for it lies in the region or within a twelfth of
    the image's side of it; and the expected share of a random place. Each row of `table` gains its own, and the means
    over the labels are returned."""
    known = [part for part in parts if "mask" in part[0]]
    for k, (row, place) in enumerate(zip(table, places.tolist(), strict=True) if known else ()):
        samples = [part[i] for part in known for i in range(len(part)) if part[i]["mask"][place].any()]
        area = _dilated(torch.stack([sample["mask"][place] for sample in samples]))
        images = torch.stack([sample["image"] for sample in samples])
        hot = heat_of(run, images, torch.full((len(images),), k)).flatten(1)
        hit = area.flatten(1).gather(1, hot.argmax(1, keepdim=True))[:, 0] * (hot.amax(1) > 0)
        row |= {"pointing_game": hit.mean().item(), "pointing_game_chance": area.mean().item()}
    names = ("pointing_game", "pointing_game_chance") if known else ()
    return {name: fmean(row[name] for row in table) for name in names}


def _dilated(masks: Tensor) -> Tensor:
    """float32 (N, S, S), grown by a twelfth of S."""
    reach = masks.shape[-1] // 12
    return F.max_pool2d(masks.float()[:, None], 2 * reach + 1, stride=1, padding=reach)[:, 0]


def _draw_mistakes(
    path: Path, parts: list[Dataset], wrong: Tensor, confidence: Tensor, probability: Tensor, names: tuple[str, ...]
) -> None:
    """The images and labels that are `wrong` (N, K), ordered by `confidence` (N, K)."""
    places = wrong.nonzero()
    places = places[confidence[wrong].argsort(descending=True)][:MOST_MISTAKES].tolist()
    everything = [(part, i) for part in parts for i in range(len(part))]
    images = [everything[i][0][everything[i][1]]["image"] for i, _ in places]
    titles = [f"{names[k]}\n{probability[i, k]:.1%}" for i, k in places]
    draw_images(path, torch.stack(images) if images else torch.empty(0), titles)


# ---- tables ----------------------------------------------------------------------------------------------


def _ranking(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: row[name] for name in ("label", "images", "positives")}
    shown |= {"ROC-AUC": _with_interval(row, "auroc"), "average precision": row["average_precision"]}
    shown |= {"calibration error": row["calibration_error"]}
    if "pointing_game" in row:
        shown |= {"pointing game": row["pointing_game"], "by chance": row["pointing_game_chance"]}
    return shown


def _at_threshold(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": row["label"],
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
    """`row` with None in place of NaN, which JSON does not have."""
    return {name: None if isinstance(value, float) and isnan(value) else value for name, value in row.items()}


# ---- explain ---------------------------------------------------------------------------------------------


def explain(run: FinishedRun, arguments: Explain) -> int:
    """Draw Grad-CAM overlays of the given images, or for each label of the test images in which it was found, missed
    and falsely found, the most confident first."""
    folder = arguments.out or arguments.run / "explanations"
    overwrite = arguments.overwrite or arguments.out is None
    if arguments.images:
        return explain_files(run, arguments.images, folder, draw_labels, overwrite=overwrite)
    predictor = predictor_of(run)
    names = predictor.signature.outputs[0].labels
    written = [f"{file_name(name)}-{group}.png" for name in names for group in ("found", "missed", "false-alarms")]
    prepare(folder, written, overwrite=overwrite)
    (test,), places = test_parts(run, None, names)
    target, probability = targets(labels_of(test), places) == 1, dataset_probabilities(run, test)
    positive = predictor.positive(probability)
    for k, name in enumerate(names):
        for group, wanted, confidence in (
            ("found", positive & target, probability),
            ("missed", ~positive & target, 1 - probability),
            ("false-alarms", positive & ~target, probability),
        ):
            rows = wanted[:, k].nonzero().flatten()
            rows = rows[confidence[rows, k].argsort(descending=True)][: arguments.n].tolist()
            path = folder / f"{file_name(name)}-{group}.png"
            if rows:
                texts = [f"{p:.1%}" for p in probability[rows, k].tolist()]
                _draw_label(path, run, [test[i] for i in rows], k, int(places[k]), texts)
                print(path)
            else:
                print(f"{path.stem}: none")
    return 0


def _draw_label(
    path: Path, run: FinishedRun, samples: list[dict[str, Tensor]], k: int, place: int, texts: list[str]
) -> None:
    """Test `samples` beside themselves under the heat map of label `k`; outlined where the data have its region."""
    name = predictor_of(run).signature.outputs[0].labels[k]
    images = torch.stack([sample["image"] for sample in samples])
    outlines = torch.stack([sample["mask"][place] for sample in samples]) if "mask" in samples[0] else None
    heat = heat_of(run, images, torch.full((len(images),), k))
    draw_heat(path, images, heat[:, None], [name] * len(images), [[text] for text in texts], outlines)


def draw_labels(path: Path, run: FinishedRun, images: Tensor, titles: list[str]) -> None:
    """Each image, uint8 (N, C, S, S), beside itself under the heat map of every label, predicted or not."""
    predictor = predictor_of(run)
    names, probability = predictor.signature.outputs[0].labels, probabilities(run, images)
    positive = predictor.positive(probability)
    heat = torch.stack([heat_of(run, images, torch.full((len(images),), k)) for k in range(len(names))], 1)
    texts = [
        [f"{name} {p:.0%}" + "\n(found)" * yes for name, p, yes in zip(names, row, marks, strict=True)]
        for row, marks in zip(probability.tolist(), positive.tolist(), strict=True)
    ]
    draw_heat(path, images, heat, titles, texts)
