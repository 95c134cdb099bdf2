"""The parts of test data that are scored by themselves."""

from torchworks.shared.data import Dataset, resident

PARTS = ("seen", "held")
"""Scenes with pairs of color and digit that training has, and those with held-out pairs: the field `held` is 0 or 1."""


def parts_of(test: Dataset) -> dict[str, list[int]]:
    """The rows of each part that has some; all as "" where the data have no field `held`."""
    if "held" not in test.schema:
        return {"": list(range(len(test)))}
    held = resident(test).tensors["held"]
    rows = {name: (held == kind).nonzero()[:, 0].tolist() for kind, name in enumerate(PARTS)}
    return {name: found for name, found in rows.items() if found}
