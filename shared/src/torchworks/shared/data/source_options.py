"""Options after the colon of a generated source: `scenes:hard`, `scenes:hard,objects=3-9,train=500`.

The options of a source are a frozen dataclass whose fields are whole numbers, numbers, ranges (a pair) or switches.
"""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from torchworks.shared.config import UserError, nearest

Options = TypeVar("Options")


def parse(source: str, text: str, levels: Mapping[str, Options]) -> Options:
    """The options that `text` asks for: words separated by commas, of which the first may name one of `levels` (its
    first is the default), the others are NAME=VALUE, NAME=LOW-HIGH, or the name of a switch. Raises `UserError`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    default = next(iter(levels))
    level = words.pop(0) if words and words[0] in levels else default
    options: Any = levels[level]
    hints = typing.get_type_hints(type(options))
    for word in words:
        name, given, value = word.partition("=")
        if name not in hints:
            known = [*levels, *hints]
            raise UserError(f"'{source}' has no option '{name}'.{nearest(name, known)} Known: {', '.join(known)}.")
        value = _value(hints[name], value if given else "true")
        if value is None:
            raise UserError(f"The option '{word}' of '{source}' should be {_form(name, hints[name])}.")
        options = dataclasses.replace(options, **{name: value})
    return options


def _value(hint: Any, text: str) -> Any:
    """`text` as the type `hint`, None if it is not."""
    if hint is bool:
        return {"true": True, "false": False}.get(text)
    try:
        if typing.get_origin(hint) is not tuple:
            return hint(text)
        low, dash, high = text.partition("-")
        number = typing.get_args(hint)[0]
        pair = number(low), number(high if dash else low)
        return pair if pair[0] <= pair[1] else None
    except ValueError:
        return None


def _form(name: str, hint: Any) -> str:
    if hint is bool:
        return f"{name} or {name}=false"
    if typing.get_origin(hint) is tuple:
        return f"{name}=LOW-HIGH, from the smaller to the larger number"
    return f"{name}={'N, a whole number' if hint is int else 'X, a number'}"
