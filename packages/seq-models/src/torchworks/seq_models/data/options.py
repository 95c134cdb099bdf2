"""Options after the colon of a generated source: `reviews:pairs=500,difficulty=3`."""

import dataclasses
from typing import Any, TypeVar

from torchworks.shared.config import UserError, nearest

Options = TypeVar("Options")


def parse_options(source: str, text: str, defaults: Options) -> Options:
    """`defaults`, a frozen dataclass of whole numbers with a limit each, changed as `text` says: NAME=VALUE, separated
    by commas. Raises `UserError`, from the dataclass too."""
    names = [item.name for item in dataclasses.fields(defaults)]  # ty: ignore[invalid-argument-type]
    values: dict[str, Any] = {}
    for word in filter(None, map(str.strip, text.split(","))):
        name, _, value = word.partition("=")
        if name not in names:
            raise UserError(f"'{source}' has no option '{name}'.{nearest(name, names)} Known: {', '.join(names)}.")
        if not value.isdecimal():
            raise UserError(f"The option '{word}' of '{source}' should be {name}=N, with a whole number N.")
        values[name] = int(value)
    return dataclasses.replace(defaults, **values)  # ty: ignore[invalid-argument-type]
