"""Command-line arguments of word vectors. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Embed:
    """Use word vectors: print the nearest words, draw a map of words, or write all vectors to a file."""

    run: Run
    action: Annotated[Literal["nearest", "map", "vectors"], Positional, arg(help_behavior_hint="")]
    """nearest: print the words that are most like WORDS together. map: draw words in two dimensions, WORDS and their
    neighbors, or the most frequent ones. vectors: write all vectors in word2vec's text format."""
    words: Annotated[tuple[str, ...], Positional, arg(metavar="WORDS", help_behavior_hint="")] = ()
    """Words that the model knows."""
    n: Annotated[int | None, by_default("N", "10 nearest words, 120 of a map")] = None
    """Number of words to print or to draw."""
    out: Annotated[Path | None, by_default("FILE", "RUN/map.png or RUN/vectors.txt")] = None
    """File to write."""
    overwrite: Overwrite = False


COMMANDS = {"embed": Command(Embed, "torchworks.seq_models.embedding.use:embed")}
