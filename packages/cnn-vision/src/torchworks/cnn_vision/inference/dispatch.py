"""The commands `predict`, `evaluate` and `explain`: the job of a run, known by the builder of its model, does them."""

import importlib
from types import ModuleType

from torchworks.cnn_vision.inference.commands import Evaluate, Explain, Predict
from torchworks.shared.config import UserError
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.opening import FinishedRun, open_run

JOBS = {
    "cnn-vision-classifier": "classification",
    "cnn-vision-speed": "classification",
    "cnn-vision-findings": "multilabel",
    "cnn-vision-detector": "detection",
    "cnn-vision-segmenter": "segmentation",
    "cnn-vision-driver": "driving",
}
"""The job of each builder. Its module `use` has functions `predict(run, arguments)`, `evaluate(run, arguments)` and
perhaps `explain(run, arguments)`, which take the arguments of the command of that name and return its exit code."""
COMMANDS = {
    "cnn-vision-features": "stylize --features RUN",
    "cnn-vision-anomaly": "inspect",
    "cnn-vision-autoencoder": "restore",
    "cnn-vision-vae": "draw",
    "cnn-vision-vae-sampler": "draw",
    "cnn-vision-style-fast": "stylize",
    "cnn-vision-style-adain": "stylize",
}
"""The command of the runs that these three do not work on."""


def predict(arguments: Predict) -> int:
    """Print a line for each image. Raises `UserError` that names those that could not be read, once all others are
    done."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    if not 0 < arguments.least_score < 1:
        raise UserError(f"--least-score is {arguments.least_score}; it must be above 0 and below 1.")
    if arguments.top < 1:
        raise UserError(f"--top is {arguments.top}; it must be at least 1.")
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    return job_of(run).predict(run, arguments)


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write the report and print a table."""
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    return job_of(run).evaluate(run, arguments)


def explain(arguments: Explain) -> int:
    """Draw Grad-CAM overlays of the given images, or of the run's test images."""
    if arguments.n < 1:
        raise UserError(f"--n is {arguments.n}; it must be at least 1.")
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    job = job_of(run)
    if not hasattr(job, "explain"):
        raise UserError(
            f"{run.folder} is a run of the recipe {run.config.recipe}, and explain is for classes and labels, such as "
            "runs of classify, transfer and medical."
        )
    return job.explain(run, arguments)


def job_of(run: FinishedRun) -> ModuleType:
    """The module `use` of the run's job. Raises `UserError`, which names the right command, for runs of `COMMANDS`."""
    builder = read_manifest(run.folder).builder
    if builder in COMMANDS:
        raise UserError(
            f"{run.folder} is a run of the recipe {run.config.recipe}: use `cnn-vision {COMMANDS[builder]}`."
        )
    return importlib.import_module(f"torchworks.cnn_vision.{JOBS[builder]}.use")
