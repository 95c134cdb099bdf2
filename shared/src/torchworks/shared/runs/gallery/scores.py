"""The numbers of `result.json`: each score with its interval and what it is to be compared with."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

FACTS = ("steps", "best_step", "seconds", "parameters")
KINDS = ("average", "balanced", "macro", "micro", "mean", "weighted")
"""Words before the name of a score that make another score of it: `average_precision` is no baseline of `precision`."""


@dataclass
class Score:
    """A score on the test part; `value` and the ends of its 95 % interval are None where they are not finite."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    beside: dict[str, float] = field(default_factory=dict)
    """Baselines, floors and bounds by name."""


def is_number(value: Any) -> bool:
    """Whether `value` is a number in the sense of JSON, finite."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def scores_of(result: Mapping[str, Any], trained: Iterable[str]) -> list[Score]:
    """The scores in `result`, first those with something beside them, else in its order.

    `trained` are the names of scores that were computed during training too: those are never baselines of others. Of
    the rest, `<score>_<what>` and `<what>_<score>` stand beside that score.
    """
    numbers = {
        name: value if is_number(value) else None
        for name, value in result.items()
        if (is_number(value) or value is None) and name not in FACTS and not name.endswith("_per_second")
    }
    known = {name for name in set(trained) & set(numbers) if not _is_end(name, numbers)}
    own = [name for name in numbers if name in known]
    beside: list[tuple[str, str, str]] = []
    for name in sorted((name for name in numbers if name not in known), key=len):
        found = _belongs_to(name, own)
        if found is None:
            own.append(name)
        else:
            beside.append((name, *found))
    scores = {name: Score(name, numbers[name]) for name in numbers if name in own and not _is_count(name, own)}
    for name, score, what in sorted(beside, key=lambda item: [*numbers].index(item[0])):
        value = numbers[name]
        if score not in scores or value is None:
            continue
        if what in ("low", "high"):
            setattr(scores[score], what, value)
        else:
            scores[score].beside[what.replace("_", " ")] = value
    return sorted(scores.values(), key=lambda score: not score.beside)


def _belongs_to(name: str, own: list[str]) -> tuple[str, str] | None:
    """The longest score in whose name `name` begins or ends, and what else `name` says."""
    for score in sorted(own, key=len, reverse=True):
        if name.startswith(f"{score}_"):
            return score, name.removeprefix(f"{score}_")
        if name.endswith(f"_{score}") and name.removesuffix(f"_{score}") not in KINDS:
            return score, name.removesuffix(f"_{score}")
    return None


def _is_end(name: str, numbers: Mapping[str, Any]) -> bool:
    """Whether it is an end of the interval of another score."""
    score, _, end = name.rpartition("_")
    return end in ("low", "high") and score in numbers


def _is_count(name: str, own: list[str]) -> bool:
    """Whether it is a number of samples, or the total that another score is of."""
    return name.startswith("n_") or (name.endswith("_of") and name.removesuffix("_of") in own)
