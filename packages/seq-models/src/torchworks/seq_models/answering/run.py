"""Finished runs of answering, opened for use, and texts that users give them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from torchworks.seq_models.answering.span_predictor import TOKENIZER, SpanPredictor
from torchworks.seq_models.data.questions import NOT_IN_TEXT
from torchworks.shared.config import Config, UserError
from torchworks.shared.data.files import read_text
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


def text_of(file: Path) -> str:
    """The text of a file. Raises `UserError` for one that is not there, is no text or is empty."""
    if file.is_dir():
        raise UserError(f"{file} is a folder. Give a file with a text.")
    try:
        text = read_text(file)
    except FileNotFoundError:
        raise UserError(f"There is no file {file}. Give a file with a text.") from None
    except PermissionError:
        raise UserError(f"No permission to read {file}.") from None
    if "\0" in text:
        raise UserError(f"{file} is a binary file, not a text.")
    if not text.strip():
        raise UserError(f"{file} is empty: there is no text in it.")
    return text.strip()


def checked_tokens(run: AnsweringRun, text: str, most: int, name: str) -> list[int]:
    """The ids of a text's tokens. Raises `UserError` for one that is empty or too long."""
    if not text.strip():
        raise UserError(f"{name} is empty.")
    if any("\ud800" <= sign <= "\udfff" for sign in text):  # how Python keeps the bytes of an argument
        raise UserError(f"{name} is not UTF-8.")
    fewest = run.tokenizer.fewest(text)
    if fewest > most:
        raise UserError(f"{name} has at least {fewest:,} tokens, but the model reads {most} at most. Shorten it.")
    ids = run.tokenizer.encode(text)
    if len(ids) > most:
        raise UserError(f"{name} has {len(ids):,} tokens, but the model reads {most} at most. Shorten it.")
    return ids


def said(answer: str) -> str:
    """An answer as it is printed."""
    return answer or NOT_IN_TEXT
