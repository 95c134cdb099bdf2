"""The command `evaluate`: the job of a run, known by the builder of its model, does it."""

import importlib

from torchworks.hybrid_multimodal.inference.commands import Evaluate
from torchworks.shared.config import UserError
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.files import check_finished

JOBS = {
    "hybrid-multimodal-recommendation": "recommendation",
    "hybrid-multimodal-captioner": "captioning",
    "hybrid-multimodal-clip": "contrastive",
    "hybrid-multimodal-vqa": "questions",
    "hybrid-multimodal-classifier": "classification",
    "hybrid-multimodal-detr": "detection",
    "hybrid-multimodal-molecules": "molecules",
    "hybrid-multimodal-action": "actions",
}
"""The job of each builder. Its module `use` has a function `evaluate(arguments)`, which returns the exit code."""


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write the report and print a table. Raises `UserError` for a run of another package."""
    check_finished(arguments.run)
    builder = read_manifest(arguments.run).builder
    if builder not in JOBS:
        raise UserError(
            f"{arguments.run} was made by {builder}, which `evaluate` of hybrid-multimodal does not know. Use the "
            "command of the package that trained it."
        )
    return importlib.import_module(f"torchworks.hybrid_multimodal.{JOBS[builder]}.use").evaluate(arguments)
