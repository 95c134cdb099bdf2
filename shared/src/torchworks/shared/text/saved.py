"""A tokenizer's file, read back."""

import json
from collections.abc import Mapping
from typing import Any

from torchworks.shared.config import UserError
from torchworks.shared.text.bpe import ByteLevelBPE
from torchworks.shared.text.tokenizer import FORMAT, Tokenizer
from torchworks.shared.text.vocabulary import Characters, Words
from torchworks.shared.text.wordpiece import WordPiece


def from_json(content: bytes, where: str = "tokenizer") -> Tokenizer:
    """The tokenizer that `to_json` wrote. Raises `UserError`, which names `where` it is from, for anything else."""
    try:
        values = json.loads(content)
        if isinstance(values, dict) and values.get("format", FORMAT) != FORMAT:
            raise UserError(
                f"The {where} has format {values['format']}, but this version reads format {FORMAT}: update Torchworks."
            )
        return _made(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"The {where} is no tokenizer that can be read: {error!r}. Restore it, or train it again."
        ) from error


def tokenizer_files(preprocessing: Mapping[str, Any]) -> dict[str, str]:
    """The files of the tokenizers that a model's preprocessing names, by the names of inputs and outputs."""
    said = {name: value.get("tokenizer") for name, value in preprocessing.items() if isinstance(value, dict)}
    return {name: file for name, file in said.items() if isinstance(file, str)}


def _made(values: dict[str, Any]) -> Tokenizer:
    specials = _strings(values["specials"])
    match values["kind"]:
        case Characters.kind:
            return Characters(_strings(values["tokens"]), specials)
        case Words.kind:
            return Words(_strings(values["tokens"]), specials, lower=bool(values["lower"]))
        case ByteLevelBPE.kind:
            return ByteLevelBPE.read(_strings(values["merges"]), specials)
        case WordPiece.kind:
            options = {name: bool(values[name]) for name in ("lower", "add_special_tokens")}
            return WordPiece(_strings(values["tokens"]), **options)
    raise ValueError(f"its kind is {values['kind']!r}")


def _strings(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise TypeError("a list of strings is expected")
    return values
