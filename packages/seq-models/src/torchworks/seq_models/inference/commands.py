"""Command-line arguments that several jobs have in common. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, configure

from torchworks.seq_models.data.check_config import CheckConfig
from torchworks.shared.cli import Command, check_command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Evaluate:
    """Score a model on the test part of its data, or on other data, beside simpler models.

    Writes evaluation.json; of a classifier also confusion.png, calibration.png, and errors.csv with the most confident
    errors first; of a translation errors.tsv; of answers, summaries and replies errors.csv; of series pictures.
    """

    run: Run
    data: Annotated[str | None, by_default("SOURCE", "the test part of the run's data")] = None
    """Another source, all of it, however few rows it has: text:PATH for a language model; for a classifier csv:PATH or
    the like, with the same class names; for a translation tsv:PATH; for answers, summaries and replies jsonl:PATH."""
    pairs: Annotated[Path | None, by_default("FILE", "none")] = None
    """Of word vectors: also a file of word pairs with how alike people find them, "WORD WORD NUMBER" a line, as
    WordSim-353 is."""
    analogies: Annotated[Path | None, by_default("FILE", "none")] = None
    """Of word vectors: also a file of analogies, "WORD WORD WORD WORD" a line, as word2vec's questions-words.txt."""
    out: Annotated[Path | None, by_default("DIR", "RUN/evaluation")] = None
    """Folder to write to."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "check": check_command(
        CheckConfig,
        "documentation, code, library, text:PATH, reviews, spam, languages, csv:PATH, numbers, phrases, "
        "tsv:PATH, facts, conversations, jsonl:PATH, spoken, sounds:FOLDER, demand, series:FILE.csv, "
        "ett:FILE.csv, ts:NAME, ts:FILE, rows:FILE.csv, signal:FILE.csv, iris, table:FILE.csv, counterpoint, "
        "midi:FOLDER, jsb:FILE.json, pronunciations or pronunciations:FILE",
    ),
    "evaluate": Command(Evaluate, "torchworks.seq_models.inference.dispatch:evaluate"),
}
