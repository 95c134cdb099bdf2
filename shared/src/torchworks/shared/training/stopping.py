"""Why a training ends, and how it ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torchworks.shared.config import TrainerConfig


@dataclass
class Result:
    """How a training ended. `scores` are those of the weights the nets now hold: the best by the watched score,
    averaged if the averaging was on."""

    steps: int
    seconds: float
    rates: dict[str, float]
    """`samples_per_second`, and that of the task's `units` if it counts others."""
    scores: dict[str, float]
    best_step: int
    stopped_by: str
    findings: list[dict[str, Any]] = field(default_factory=list)


def reason_to_stop(
    config: TrainerConfig,
    step: int,
    evals_since_best: int,
    findings: Sequence[dict[str, Any]],
    elapsed: Callable[[], float],
) -> str | None:
    """What ends the training after `step` steps, if anything does. `elapsed`, the seconds of training, is called only
    if they count."""
    if step >= config.steps:
        return "steps"
    if config.patience and evals_since_best >= config.patience:
        return "patience"
    if config.max_minutes and elapsed() > 60 * config.max_minutes:
        return "max_minutes"
    if findings and findings[-1]["action"] == "stop":
        return "doctor"
    return None
