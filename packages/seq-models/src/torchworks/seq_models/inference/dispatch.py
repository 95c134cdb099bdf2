"""The command `evaluate`: the job of a run, known by the builder of its model, does it."""

import importlib

from torchworks.seq_models.inference.commands import Evaluate
from torchworks.shared.config import UserError
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.files import check_finished, load_config

WORD_VECTORS = "seq-models-embedding"
JOBS = {
    "seq-models-answers": "answering",
    "seq-models-chat": "answering",
    "seq-models-classifier": "classification",
    WORD_VECTORS: "embedding",
    "seq-models-language": "language",
    "seq-models-recognizer": "recognition",
    "seq-models-speak": "synthesis",
    "seq-models-translation": "translation",
    "seq-models-vocode": "synthesis",
    "seq-models-writing": "answering",
}
"""The job of each builder. Its module `use` has a function `evaluate(arguments)`, which returns the exit code."""


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write the report and print a table. Raises `UserError` for a run of another package."""
    check_finished(arguments.run)
    builder = read_manifest(arguments.run).builder
    if builder not in JOBS:
        package = load_config(arguments.run).package
        raise UserError(f"{arguments.run} is a run of the package {package}; use `{package} evaluate`.")
    if builder != WORD_VECTORS and (arguments.pairs or arguments.analogies):
        raise UserError(f"--pairs and --analogies score word vectors, but {arguments.run} has none. Leave them out.")
    return importlib.import_module(f"torchworks.seq_models.{JOBS[builder]}.use").evaluate(arguments)
