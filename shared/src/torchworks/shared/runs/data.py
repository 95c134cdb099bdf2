"""The data that a run is trained on: what is kept of them, and what has changed when the run is continued."""

from collections.abc import Sequence
from typing import Any

from torchworks.shared.config import UserError
from torchworks.shared.data.source import Source

Described = list[dict[str, Any]]
PARTS = ("training", "testing")


def describe_data(sources: Sequence[Source]) -> Described:
    """Of each source its name, classes, number of samples in each part, and the fingerprint of its contents."""
    return [
        {
            "name": source.name,
            "classes": sorted({name for field in source.schema.fields for name in field.classes}),
            "training": len(source.train),
            "testing": len(source.test),
            "fingerprint": source.fingerprint,
        }
        for source in sources
    ]


def check_unchanged(before: Described, now: Described, run: str) -> None:
    """Raise `UserError` that names what has changed between two descriptions of a run's data."""
    said = [text for then, data in zip(before, now, strict=False) if (text := _change(then, data))]
    if said:
        raise UserError(
            f"The data of the run {run} have changed since it was made: {'; '.join(said)}. A run is continued with its "
            "own data, in their order. Put them back, or start a new run; this one is as it was."
        )


def _change(then: dict[str, Any], now: dict[str, Any]) -> str:
    """What makes `now` other data than `then`; '' if nothing does."""
    if then["fingerprint"] == now["fingerprint"] and then["classes"] == now["classes"]:
        return ""
    new = [name for name in now["classes"] if name not in then["classes"]]
    gone = [name for name in then["classes"] if name not in now["classes"]]
    found = [f"{text} {', '.join(names[:5])}" for text, names in (("new classes:", new), ("gone:", gone)) if names]
    found += [f"{now[part]} samples for {part}, then {then[part]}" for part in PARTS if now[part] != then[part]]
    return f"{now['name']} has {'; '.join(found) or 'as many samples, but others or other labels'}"
