"""The commands `evaluate`, `classify` and `explain`: the job of a run, known by the builder of its model, does it."""

import importlib
from pathlib import Path
from typing import Any

from torchworks.seq_models.classification.commands import Classify, Explain
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.shared.config import UserError
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.files import check_finished, load_config

WORD_VECTORS = "seq-models-embedding"
TABLES = "seq-models-tabular"
JOBS = {
    "seq-models-anomaly-series": "anomalies",
    "seq-models-answers": "answering",
    "seq-models-chat": "answering",
    "seq-models-classifier": "classification",
    WORD_VECTORS: "embedding",
    "seq-models-forecast": "forecasting",
    "seq-models-fraud": "anomalies",
    "seq-models-harmony": "composing",
    "seq-models-language": "language",
    "seq-models-pronunciation": "pronunciation",
    "seq-models-recognizer": "recognition",
    "seq-models-roll": "composing",
    "seq-models-series-classifier": "series_classification",
    "seq-models-speak": "synthesis",
    TABLES: "tabular",
    "seq-models-translation": "translation",
    "seq-models-verification": "verification",
    "seq-models-vocode": "synthesis",
    "seq-models-voice-detection": "voice_detection",
    "seq-models-writing": "answering",
}
"""The job of each builder. Its module `use` has a function `evaluate(arguments)`, which returns the exit code."""


CLASSIFIERS = ("seq-models-classifier", "seq-models-series-classifier")
"""Builders whose job has `classify` and `explain` in `use` too."""


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write the report and print a table. Raises `UserError` for a run of another package."""
    check_finished(arguments.run)
    builder = _builder(arguments.run, "evaluate")
    if builder != WORD_VECTORS and (arguments.pairs or arguments.analogies):
        raise UserError(f"--pairs and --analogies score word vectors, but {arguments.run} has none. Leave them out.")
    return _use(builder).evaluate(arguments)


def classify(arguments: Classify) -> int:
    """Print classes of texts or series. Raises `UserError` for a run that knows none."""
    return _classifier(arguments.run, "classify").classify(arguments)


def explain(arguments: Explain) -> int:
    """Draw what decides. Raises `UserError` for a run that is no classifier and no model of tables."""
    if _builder(arguments.run, "explain") == TABLES:
        return _use(TABLES).explain(arguments)
    return _classifier(arguments.run, "explain").explain(arguments)


def _classifier(run: Path, command: str) -> Any:
    check_finished(run)
    builder = _builder(run, command)
    if builder not in CLASSIFIERS:
        raise UserError(
            f"{run} is a run of the recipe {load_config(run).recipe}, made by {builder}, and not a classifier of texts "
            "or series. Use a run of classify-text, classify-series or another recipe that begins with classify."
        )
    return _use(builder)


def _builder(run: Path, command: str) -> str:
    builder = read_manifest(run).builder
    if builder not in JOBS:
        package = load_config(run).package
        raise UserError(f"{run} is a run of the package {package}; use `{package} {command}`.")
    return builder


def _use(builder: str) -> Any:
    return importlib.import_module(f"torchworks.seq_models.{JOBS[builder]}.use")
