"""The commands `study-augmentation` and `study-transfer`: one setting changed at a time, over several seeds.

Every training is a run of its own, below the study's folder; a study that was stopped continues when it is started
again with the same `--out`.
"""

import contextlib
import json
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from torchworks.cnn_vision.classification.config import ClassifierConfig
from torchworks.cnn_vision.classification.transfer import check_pretraining, plain, pretraining
from torchworks.cnn_vision.studies.commands import StudyAugmentation, StudyTransfer
from torchworks.shared.config import UserError
from torchworks.shared.runs import directory as run
from torchworks.shared.runs.files import load_config
from torchworks.shared.runs.outputs import make_folder, progress
from torchworks.shared.training import experiment

AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "flip": {"augment": ("flip",)},
    "shift": {"augment": ("shift",)},
    "shift, affine": {"augment": ("shift", "affine")},
    "shift, cutout": {"augment": ("shift", "cutout")},
    "RandAugment": {"augment": ("randaugment",)},
    "mixup": {"mixing": "mixup"},
    "CutMix": {"mixing": "cutmix"},
    "label smoothing": {"label_smoothing": 0.1},
    "shift, affine, smoothing": {"augment": ("shift", "affine"), "label_smoothing": 0.1},
}
TRANSFERS: dict[str, dict[str, Any]] = {
    "from scratch": {"pretrained": ""},
    "linear probe": {"freeze": "backbone"},
    "all layers": {},
    "gradual unfreezing": {"freeze": "gradual"},
    "discriminative rates": {"rate_decay": 0.4},
    "gradual, discriminative": {"freeze": "gradual", "rate_decay": 0.4},
}
SCORES = ("accuracy", "nll", "calibration_error", "seconds")


@dataclass(frozen=True)
class Row:
    """A variant and the results of its runs, one for each seed."""

    name: str
    results: list[dict[str, Any]]

    def mean(self, score: str) -> float:
        return statistics.fmean(result[score] for result in self.results)

    def spread(self, score: str) -> float:
        """Standard deviation over the seeds."""
        values = [result[score] for result in self.results]
        return statistics.stdev(values) if len(values) > 1 else 0.0


def study_augmentation(arguments: StudyAugmentation) -> int:
    """Train the same net with each augmentation, and print a table."""
    config = replace(arguments.config, augment=(), mixing="none", label_smoothing=0.0)
    folder = _folder(arguments, "study-augmentation")
    jobs = [
        (name, replace(config, seed=seed, **change), _path(folder, name, seed))
        for name, change in AUGMENTATIONS.items()
        for seed in range(arguments.seeds)
    ]
    return _report(folder, "accuracy by augmentation", _trained(jobs))


def study_transfer(arguments: StudyTransfer) -> int:
    """Fine-tune the same pretrained net in each way, and print a table."""
    config, seeds = arguments.config, range(arguments.seeds)
    check_pretraining(config)
    folder = _folder(arguments, "study-transfer")
    if not config.pretrained:
        first = pretraining(config)
        _trained([("pretrained", replace(first, seed=seed), _path(folder, "pretrained", seed)) for seed in seeds])
    base = replace(plain(config), freeze="none", rate_decay=1.0)
    jobs = [
        (name, replace(base, **{"seed": seed, "pretrained": start, **change}), _path(folder, name, seed))
        for name, change in TRANSFERS.items()
        for seed in seeds
        for start in (config.pretrained or str(_path(folder, "pretrained", seed)),)
    ]
    return _report(folder, "accuracy by way of fine-tuning", _trained(jobs))


def _folder(arguments: StudyAugmentation | StudyTransfer, name: str) -> Path:
    if arguments.seeds < 1:
        raise UserError(f"--seeds is {arguments.seeds}; it must be at least 1.")
    folder = arguments.out or run.create(arguments.config.package, name, arguments.config.data)
    make_folder(folder)
    return folder


def _path(folder: Path, name: str, seed: int) -> Path:
    return folder / f"{name.lower().replace(', ', '-').replace(' ', '-')}-seed-{seed}"


def _trained(jobs: list[tuple[str, ClassifierConfig, Path]]) -> list[Row]:
    rows: dict[str, Row] = {}
    for name, config, folder in progress(jobs, "training", len(jobs)):
        result = _result(config, folder)
        rows.setdefault(name, Row(name, [])).results.append(result)
        print(f"{folder.name}: accuracy {result['accuracy']:.4f} in {result['seconds']:.0f} s", flush=True)
    return list(rows.values())


def _result(config: ClassifierConfig, folder: Path) -> dict[str, Any]:
    """What `result.json` of the run in `folder` says, after it was trained, unless it was before."""
    begun = (folder / "config.json").exists()
    if begun and load_config(folder) != config:
        raise UserError(f"{folder} holds a run with other settings. Choose another folder for the study with --out.")
    if not (folder / "result.json").exists():
        folder.mkdir(exist_ok=True)
        with (folder / "train.log").open("a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
            experiment.train(config, **({"resume": folder} if begun else {"out": folder}))
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------------ report


def _report(folder: Path, title: str, rows: list[Row]) -> int:
    """Print the table, and write it with a plot."""
    baseline = rows[0].mean("accuracy_baseline")  # on the same images whatever the variant
    n = len(rows[0].results)
    table = Table(title=f"{title}, mean ± standard deviation of {n} seeds", title_justify="left")
    for column in ("", *SCORES):
        table.add_column(column, justify="left" if not column else "right")
    for row in rows:
        table.add_row(row.name, *(_shown(row, score) for score in SCORES))
    Console(width=110).print(table)
    print(f"logistic regression on the pixels: accuracy {_shown(rows[0], 'accuracy_baseline')}")
    run.write_json(folder / "study.json", {row.name: row.results for row in rows})
    (folder / "study.md").write_text(_markdown(rows), encoding="utf-8")
    _draw(folder / "study.png", title, rows, baseline)
    print(folder)
    return 0


def _shown(row: Row, score: str) -> str:
    if score == "seconds":
        return f"{row.mean(score):.0f}"
    scale, digits = (100, 1) if score.startswith("accuracy") else (1, 3)
    return f"{scale * row.mean(score):.{digits}f} ± {scale * row.spread(score):.{digits}f}"


def _markdown(rows: list[Row]) -> str:
    lines = ["| | " + " | ".join(SCORES) + " |", "|---|" + "---|" * len(SCORES)]
    lines += [f"| {row.name} | " + " | ".join(_shown(row, score) for score in SCORES) + " |" for row in rows]
    return "\n".join([*lines, f"| logistic regression | {_shown(rows[0], 'accuracy_baseline')} | | | |"]) + "\n"


def _draw(path: Path, title: str, rows: list[Row], baseline: float) -> None:
    """A dot for each seed, a bar for the mean."""
    figure = Figure(figsize=(6.4, 0.9 + 0.36 * len(rows)), layout="constrained")
    axis = figure.subplots()
    for place, row in enumerate(reversed(rows)):
        values = [100 * result["accuracy"] for result in row.results]
        axis.plot(values, [place] * len(values), "o", color="tab:blue", alpha=0.6, markersize=6)
        axis.plot([100 * row.mean("accuracy")], [place], "|", color="black", markersize=18)
    axis.axvline(100 * baseline, linestyle="--", color="gray", label="logistic regression")
    axis.set_yticks(range(len(rows)), [row.name for row in reversed(rows)])
    axis.set(xlabel="test accuracy, %", title=title)
    axis.grid(axis="x", alpha=0.3)
    axis.legend(loc="best")
    figure.savefig(path, dpi=110)
