"""The data that a run is trained on: what is kept of them, and what has changed when the run is continued."""

from collections.abc import Sequence
from typing import Any

from torchworks.shared.config import UserError
from torchworks.shared.data.listing import some
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


def check_unchanged(before: Described, now: Described, run: str) -> list[str]:
    """Sentences about samples that are others than in the description of a run's data from `before`, as many as then.
    Raises `UserError` if there are more or fewer, or other classes: then a training cannot go on where it was."""
    same = ("fingerprint", "classes")
    pairs = [
        (then, data) for then, data in zip(before, now, strict=False) if any(then[name] != data[name] for name in same)
    ]
    if said := [text for pair in pairs if (text := _difference(*pair))]:
        raise UserError(
            f"The data of the run {run} have changed since it was made: {'; '.join(said)}. A run is continued with its "
            "own data, in their order. Put them back, or start a new run; this one is as it was."
        )
    return [
        f"The data of {data['name']} have changed since the run was made: as many samples, but some have other "
        "contents or labels, or this machine draws them otherwise. The training goes on with them."
        for _, data in pairs
    ]


def _difference(then: dict[str, Any], now: dict[str, Any]) -> str:
    """The classes that are new and gone, and the numbers of samples that differ; '' if neither do."""
    new = [name for name in now["classes"] if name not in then["classes"]]
    gone = [name for name in then["classes"] if name not in now["classes"]]
    found = [
        f"{text} {some(names)}" for text, names in (("new classes", new), ("no longer the classes", gone)) if names
    ]
    found += [f"{now[part]} samples for {part} instead of {then[part]}" for part in PARTS if now[part] != then[part]]
    return f"{now['name']} has {', '.join(found)}" if found else ""
