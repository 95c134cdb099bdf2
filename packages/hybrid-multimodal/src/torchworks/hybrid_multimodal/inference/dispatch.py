"""The commands `evaluate` and `estimate`: the job of a run, known by the builder of its model, does them."""

import importlib
from pathlib import Path

from torchworks.hybrid_multimodal.inference.commands import Estimate, Evaluate
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
    "hybrid-multimodal-lead": "lead",
    "hybrid-multimodal-price": "price",
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


ESTIMATING = ("molecules", "lead", "price")
"""Jobs whose module `use` has a function `estimate(arguments)` too."""


def estimate(arguments: Estimate) -> int:
    """Answer for what the user gives. Raises `UserError` for a run that tells no number."""
    check_finished(arguments.run)
    job = JOBS.get(read_manifest(arguments.run).builder, "")
    if job not in ESTIMATING:
        raise UserError(
            f"{arguments.run} tells no number of rows or molecules. Give a run of one of these recipes: "
            f"{', '.join(ESTIMATING)}."
        )
    return importlib.import_module(f"torchworks.hybrid_multimodal.{job}.use").estimate(arguments)


def table_of(arguments: Estimate) -> Path:
    """The one file that a run of rows is given. Raises `UserError`."""
    if len(arguments.given) != 1:
        raise UserError(f"Name one file of rows after the run; {len(arguments.given)} were named.")
    return Path(arguments.given[0])
