"""How close generated images come to real ones: distances in a named feature space, with their floors.

judge = judge_for(source, image_size=32)                       # a classifier of these data, trained once
fidelity = Fidelity(judge, reference=features_of(judge, source.train))
fidelity.update(fake=images)
fidelity.compute()                                             # {"fd_digits64": …, "precision": …, …}
floor(judge, source.train, source.test)                        # the same for real images
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchworks.shared.fidelity.copies import Copies, Neighbours, nearest_copies
    from torchworks.shared.fidelity.distances import (
        class_entropy,
        classes_covered,
        frechet,
        kernel_distance,
        moments,
        precision_recall,
    )
    from torchworks.shared.fidelity.inception import InceptionJudge
    from torchworks.shared.fidelity.judge import FeatureSpace, Judge, features_of
    from torchworks.shared.fidelity.metric import Fidelity, floor, gaussian
    from torchworks.shared.fidelity.recipe import cas
    from torchworks.shared.fidelity.store import judge_for

_HOMES = {
    "copies": ("Copies", "Neighbours", "nearest_copies"),
    "distances": ("class_entropy", "classes_covered", "frechet", "kernel_distance", "moments", "precision_recall"),
    "inception": ("InceptionJudge",),
    "judge": ("FeatureSpace", "Judge", "features_of"),
    "metric": ("Fidelity", "floor", "gaussian"),
    "recipe": ("cas",),
    "store": ("judge_for",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Copies",
    "FeatureSpace",
    "Fidelity",
    "InceptionJudge",
    "Judge",
    "Neighbours",
    "cas",
    "class_entropy",
    "classes_covered",
    "features_of",
    "floor",
    "frechet",
    "gaussian",
    "judge_for",
    "kernel_distance",
    "moments",
    "nearest_copies",
    "precision_recall",
]


def __getattr__(name: str) -> Any:
    """A name when it is first asked for: the Inception net needs torchvision's models, which take long to import."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
