"""Command-line arguments of recommendation. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Run, by_default

Titles = Annotated[tuple[str, ...], arg(metavar="TITLE", help_behavior_hint="")]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Recommend:
    """Recommend items to a user, or to a stranger who names some, with the liked items that speak for each.

    What speaks for a title is found by leaving out: the score is computed again without each of the items that the
    user had, and those are named without which it falls most. EASE, which needs no training, stands beside.
    """

    run: Run
    user: Annotated[str | None, by_default("USER", "a stranger")] = None
    """A user of the data, by the name that the data have."""
    liked: Titles = ()
    """Titles that a stranger likes, or that a user likes besides. Capitals, punctuation and a leading article do not
    matter."""
    n: Annotated[int, arg(aliases=["-n"], metavar="N")] = 10
    """How many titles."""
    only: Annotated[str | None, by_default("GENRE", "all genres")] = None
    """Recommend items of one genre only."""
    exclude: Titles = ()
    """Titles that are not to be recommended."""
    blend: bool = False
    """Rank by the mixture with EASE whose share was best of the validation part."""


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Similar:
    """Print the items that are most like one, by the model's vectors and by the weights of EASE."""

    run: Run
    title: Annotated[str, Positional, arg(metavar="TITLE")]
    n: Annotated[int, arg(aliases=["-n"], metavar="N")] = 10
    """How many titles."""


COMMANDS = {
    "recommend": Command(Recommend, "torchworks.hybrid_multimodal.recommendation.use:recommend"),
    "similar": Command(Similar, "torchworks.hybrid_multimodal.recommendation.use:similar"),
}
