"""How close generated images come to real ones: distances in a named feature space, with their floors.

judge = judge_for(source, image_size=32)                       # a classifier of these data, trained once
fidelity = Fidelity(judge, reference=features_of(judge, source.train))
fidelity.update(fake=images)
fidelity.compute()                                             # {"fd_digits64": …, "precision": …, …}
floor(judge, source.train, source.test)                        # the same for real images
"""

from torchworks.shared.fidelity.bounds import Selection, bounds
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

__all__ = [
    "Copies",
    "FeatureSpace",
    "Fidelity",
    "InceptionJudge",
    "Judge",
    "Neighbours",
    "Selection",
    "bounds",
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
