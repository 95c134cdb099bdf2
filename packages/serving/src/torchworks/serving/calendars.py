"""Columns of series that the service makes of time stamps, so that callers need not send them.

A model's preprocessing names them, and of what is known of the future, which series it follows:

    {"series": {"calendar": ["hour_of_day"]}, "known": {"calendar": ["hour_of_day"], "follows": "series"}}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from torchworks.serving.errors import invalid
from torchworks.shared.data.calendar_columns import CALENDAR, calendar_columns
from torchworks.shared.data.time_steps import IrregularStamps, TimeStep, step_between
from torchworks.shared.models.signature import Signature, TensorSpec


@dataclass(frozen=True)
class Calendar:
    """Of one input."""

    made: tuple[str, ...] = ()
    """Columns that are made where they are left out."""
    follows: str = ""
    """The input whose time stamps those of this one follow."""

    def needed(self, spec: TensorSpec) -> tuple[str, ...]:
        """The columns that callers must send."""
        return tuple(name for name in spec.labels if name not in self.made)

    def optional(self, spec: TensorSpec) -> bool:
        """Whether all of the input can be made."""
        return bool(self.follows) and not self.needed(spec) and isinstance(spec.shape[1], int)


NONE = Calendar()


def calendars_of(signature: Signature, preprocessing: Mapping[str, Any]) -> dict[str, Calendar]:
    """By the names of inputs, of those that have one. What is not understood counts as not there."""
    names, found = [spec.name for spec in signature.inputs], {}
    for spec in signature.inputs:
        said = preprocessing.get(spec.name)
        if spec.kind != "series" or not spec.labels or not isinstance(said, Mapping):
            continue
        given, follows = said.get("calendar"), said.get("follows")
        made = tuple(name for name in spec.labels if isinstance(given, list) and name in given and name in CALENDAR)
        earlier = isinstance(follows, str) and follows in names[: names.index(spec.name)]
        if made or earlier:
            found[spec.name] = Calendar(made, str(follows) if earlier else "")
    return found


def made_columns(where: str, stamps: Sequence[datetime], names: Sequence[str]) -> np.ndarray:
    """These columns of stamps (T,): float32 (T, K). Raises `Refusal` without stamps."""
    if not stamps:
        made = f"{', '.join(names)} {'are' if len(names) > 1 else 'is'} made of them"
        raise invalid(f"{where} has no time stamps, and {made}: send a column with time stamps.")
    times = np.array([stamp.replace(tzinfo=None) for stamp in stamps], "datetime64[s]")
    return calendar_columns(times, names)


def stamps_after(stamps: Sequence[datetime], every: str, steps: int) -> list[datetime]:
    """The `steps` stamps that follow; none where the step is not known, or they would be beyond the year 9999."""
    try:
        step = TimeStep.of(every) if every else step_between(stamps)
        return [step.after(stamps[-1], n) for n in range(1, steps + 1)] if stamps else []
    except (IrregularStamps, OverflowError, ValueError):
        return []
