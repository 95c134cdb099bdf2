"""The commands `find-anomalies` and `evaluate`, for rows of a table and for steps of a series."""

from typing import Any

from torchworks.seq_models.anomalies import rows_predictor, rows_use, series_predictor, series_use
from torchworks.seq_models.anomalies.commands import FindAnomalies
from torchworks.seq_models.inference.commands import Evaluate
from torchworks.shared.config import UserError
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.options import check_number
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare_file, prepare_image_file

MOST_DRAWN = 60
BUILDERS: dict[str, Any] = {rows_predictor.BUILDER: rows_use, series_predictor.BUILDER: series_use}


def _open(arguments: FindAnomalies | Evaluate) -> tuple[FinishedRun, Any]:
    """The run, and the module that knows what to do with it. Raises `UserError` for any other run."""
    run = open_run(arguments.run, "seq-models", arguments.device)
    if (builder := read_manifest(arguments.run).builder) not in BUILDERS:
        raise UserError(
            f"{arguments.run} is a run of the recipe {run.config.recipe}, which finds no anomalies. Use a run of fraud "
            "or anomaly-series."
        )
    return run, BUILDERS[builder]


def find_anomalies(arguments: FindAnomalies) -> int:
    """Print the alarms. Raises `UserError` for what cannot be read."""
    check_number("--n", arguments.n, 1, MOST_DRAWN)
    if arguments.alarm_rate is not None and not 0 < arguments.alarm_rate < 1:
        raise UserError(f"--alarm-rate is {arguments.alarm_rate}; it must be above 0 and below 1.")
    if arguments.out is not None:
        prepare_file(arguments.out, overwrite=arguments.overwrite, inputs=[arguments.file])
    if arguments.picture is not None:
        prepare_image_file(
            arguments.picture, overwrite=arguments.overwrite, inputs=[arguments.file], option="--picture"
        )
    run, job = _open(arguments)
    job.find(run, arguments)
    return 0


def evaluate(arguments: Evaluate) -> int:
    """Write scores and plots, and print a table."""
    run, job = _open(arguments)
    return job.evaluate(run, arguments)
