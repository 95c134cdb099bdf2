"""Finished runs of answering, opened for use, and what they can read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from torchworks.seq_models.answering.span_predictor import TOKENIZER, SpanPredictor
from torchworks.seq_models.data.questions import NOT_IN_TEXT
from torchworks.shared.config import Config, UserError
from torchworks.shared.data.listing import number_of
from torchworks.shared.models.generator import Generator
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import Predictor, read_files
from torchworks.shared.runs.opening import open_run
from torchworks.shared.text import Tokenizer, from_json


@dataclass(frozen=True)
class AnsweringRun:
    """A finished run of one of these recipes: `written` is "" of one that cuts answers out, else what it writes."""

    folder: Path
    config: Config
    predictor: Predictor
    tokenizer: Tokenizer
    made: dict[str, Any]
    """The model's configuration."""
    device: torch.device

    @property
    def written(self) -> str:
        return self.made.get("written", "")

    @property
    def whole_words(self) -> bool:
        """Whether answers that are cut out begin and end where words of their texts do."""
        return self.made.get("whole_words", True)

    @property
    def whole_numbers(self) -> bool:
        """Whether numbers that are written are the prompt's."""
        return self.made.get("whole_numbers", False)


def open_answering_run(folder: Path, device: str, wanted: tuple[str, ...], recipes: str) -> AnsweringRun:
    """Raises `UserError` for a run that does not write one of `wanted`, which `recipes` do, and for weights that are
    not numbers."""
    run = open_run(folder, "seq-models", device)
    made = read_manifest(folder).config
    kind = made.get("written", "") if isinstance(run.predictor, Generator) else ""
    known = isinstance(run.predictor, SpanPredictor) or kind
    if not known or kind not in wanted:
        raise UserError(f"{folder} is a run of the recipe {run.config.recipe}. Name a run of {recipes}.")
    if not all(bool(value.isfinite().all()) for value in run.predictor.net.state_dict().values()):
        raise UserError(
            f"The weights of {folder} are not all numbers (NaN or infinity among them), so the model can say nothing. "
            "Its training has failed; train again."
        )
    tokenizer = from_json(read_files(folder)[TOKENIZER], f"tokenizer of {folder}")
    return AnsweringRun(folder, run.config, run.predictor, tokenizer, made, run.device)


def objection(run: AnsweringRun, text: str, most: int) -> str:
    """Why the model cannot read a text as at most `most` tokens; nothing if it can."""
    if not text.strip():
        return "is empty"
    fewest = run.tokenizer.fewest(text)
    if fewest > most:
        return f"has at least {number_of(fewest, 'token')}, but the model reads {most} at most; shorten it"
    count = len(run.tokenizer.encode(text))
    return f"has {number_of(count, 'token')}, but the model reads {most} at most; shorten it" if count > most else ""


def said(answer: str) -> str:
    """An answer as it is printed."""
    return answer or NOT_IN_TEXT
