"""Rows of different lengths: texts, which become the ids of their tokens, and lists of numbers.

    padding = Padding(signature, preprocessing, tokenizers, longest=32_768)
    rows = padding.rows(spec, ["a text", "a longer text"], 64)     # all as long as the longest, and their lengths

Within a request, and within a batch of several requests, rows are padded at their end with the tokenizer's padding id
or the `pad` of the signature. A model that takes such an input must answer the same however much padding follows a row;
`serving export` checks that. An integer input (N,) called `length`, or NAME_length beside an input NAME, gets how many
positions of each row are no padding; requests may leave it out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from torchworks.serving.errors import Refusal, invalid
from torchworks.serving.limits import Limits
from torchworks.serving.unknown_text import unknown_warnings
from torchworks.shared.config import UserError
from torchworks.shared.models.signature import Signature, TensorSpec
from torchworks.shared.text import Tokenizer, tokenizer_files

Tokenizers = Mapping[str, Tokenizer]
"""By the names of their files."""
MOST_PADDED = 1 << 24
"""Values of an input with its padding: one long row makes all rows of a request as long."""


@dataclass(frozen=True)
class PaddedRows:
    """Nested lists of one length, the length that each row had, and what is to be said of them."""

    values: list[Any]
    lengths: list[int]
    warnings: list[str]


class Padding:
    """Of one model. `texts` are the tokenizers of its text inputs and `pads` the values that fill up inputs, both by
    the inputs' names; `lengths` maps inputs for lengths to the inputs that they belong to. No row may be longer than
    `longest`, or `seconds` of sound, whatever the model allows."""

    def __init__(
        self,
        signature: Signature,
        preprocessing: Mapping[str, Any],
        tokenizers: Tokenizers,
        longest: int = Limits.text_tokens,
        seconds: float = Limits.sound_seconds,
    ):
        self.signature, self.tokenizers, self.longest = signature, tokenizers, longest
        self.seconds = seconds
        self._named = tokenizer_files(preprocessing)
        inputs = signature.inputs
        self.texts = {spec.name: self._tokenizer(spec) for spec in inputs if spec.kind == "text"}
        self.pads = {spec.name: spec.pad for spec in inputs if spec.pad is not None}
        self.pads |= {name: tokenizer.padding for name, tokenizer in self.texts.items()}
        self.lengths = {found: name for name in self.pads if (found := self._length_of(name)) is not None}

    def _tokenizer(self, spec: TensorSpec) -> Tokenizer:
        name = self._named.get(spec.name) or (next(iter(self.tokenizers)) if len(self.tokenizers) == 1 else None)
        if name is None or name not in self.tokenizers:
            raise UserError(
                f"'{spec.name}' is a text, and the model's preprocessing names no file of a tokenizer for it. Save the "
                f'model with preprocessing={{"{spec.name}": {{"tokenizer": "tokenizer.json"}}}} and that file.'
            )
        return self.tokenizers[name]

    def _length_of(self, name: str) -> str | None:
        """The input that gets the lengths of input `name`."""
        wanted = (f"{name}_length", "length") if len(self.pads) == 1 else (f"{name}_length",)
        return next((spec.name for spec in self.signature.inputs if spec.name in wanted and _counts(spec)), None)

    # ---- in ----------------------------------------------------------------------------------------------

    def rows(self, spec: TensorSpec, value: Any, most_rows: int) -> PaddedRows:
        """The rows of an input that `pads` has, all as long as the longest. Raises `Refusal`."""
        rows = [value] if isinstance(value, str | bytes) or _is_row(value) else value
        if not isinstance(rows, list):
            kind = "a text, or a list of texts" if self._text(spec) else "lists of numbers"
            raise invalid(f"'{spec.name}' must be {kind}.")
        if len(rows) > most_rows:
            raise Refusal(413, "too_many_rows", f"'{spec.name}' has more rows than the {most_rows} of a request.")
        unknown: dict[int, str] = {}
        read = [self._row(spec, number, row, unknown) for number, row in enumerate(rows, 1)]
        padded, lengths = self._filled(spec, read)
        warnings = unknown_warnings(f"'{spec.name}'", unknown, len(rows) > 1, self.texts[spec.name]) if unknown else []
        return PaddedRows(padded, lengths, warnings)

    def _text(self, spec: TensorSpec) -> bool:
        return spec.name in self.texts

    def _row(self, spec: TensorSpec, number: int, row: Any, unknown: dict[int, str]) -> list[Any]:
        """Its values; a text of which the model does not know all is added to `unknown`."""
        if isinstance(row, str | bytes):
            row = self._encoded(spec, number, row, unknown)
        if not isinstance(row, list):
            kind = "a text" if self._text(spec) else "a list of numbers"
            raise invalid(f"Row {number} of '{spec.name}' must be {kind}.")
        if not row:
            raise invalid(f"Row {number} of '{spec.name}' is empty: it must have at least one {_unit(spec)}.")
        self._check_length(spec, number, len(row))
        return row

    def _encoded(self, spec: TensorSpec, number: int, text: str | bytes, unknown: dict[int, str]) -> list[int]:
        if (tokenizer := self.texts.get(spec.name)) is None:
            raise invalid(f"'{spec.name}' takes numbers, but row {number} is a text.")
        if isinstance(text, bytes):
            try:
                text = text.decode("utf-8-sig")  # some editors begin a file with that mark
            except UnicodeDecodeError:
                raise invalid(f"Row {number} of '{spec.name}' is not UTF-8.") from None
        self._check_length(spec, number, tokenizer.fewest(text), "at least ")
        ids = tokenizer.encode(text)
        if tokenizer.unknown in ids:
            unknown[number] = text
        return ids

    def _check_length(self, spec: TensorSpec, number: int, length: int, about: str = "") -> None:
        size, has = str(spec.shape[1]), f"Row {number} of '{spec.name}' has {about}{length} {_unit(spec)}s"
        if length > (most := self.signature.most.get(size, length)):
            raise invalid(f"{has}, but {size} may be {most} at most.")
        if length > (most := self._most(spec)):
            raise too_long(f"{has}, but this service reads {most} at most.")

    def _most(self, spec: TensorSpec) -> int:
        return int(self.seconds * spec.rate) if spec.rate else self.longest

    def check(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raise `Refusal` for arrays that are longer than texts may be."""
        for spec in self.signature.inputs:
            array = arrays.get(spec.name)
            if spec.name in self.pads and array is not None and array.ndim > 1:
                most = self._most(spec)
                if array.shape[1] > most:
                    has = f"'{spec.name}' has rows of {array.shape[1]} {_unit(spec)}s"
                    raise too_long(f"{has}, but this service reads {most} at most.")

    def _filled(self, spec: TensorSpec, rows: list[list[Any]]) -> tuple[list[Any], list[int]]:
        """Rows of one length, and the lengths that they had."""
        lengths = [len(row) for row in rows]
        pad, longest = self.pads[spec.name], max(lengths, default=0)
        pad = int(pad) if spec.dtype.startswith(("int", "uint")) else pad
        pad = [pad] * spec.shape[2] if len(spec.shape) == 3 and isinstance(spec.shape[2], int) else pad
        _check_padded(spec, len(rows), longest)
        return [row + [pad] * (longest - len(row)) for row in rows], lengths

    def level(self, arrays: dict[str, np.ndarray]) -> None:
        """Make inputs equally long whose lengths have one name."""
        longest: dict[int | str, int] = {}
        sizes = {name: spec.shape[1] for spec in self.signature.inputs if (name := spec.name) in self.pads}
        given = {name: size for name, size in sizes.items() if name in arrays and arrays[name].ndim > 1}
        for name, size in given.items():
            longest[size] = max(longest.get(size, 0), arrays[name].shape[1])
        for name, size in given.items():
            arrays[name] = padded_to(arrays[name], longest[size], self.pads[name])

    def length(self, values: np.ndarray, lengths: Mapping[str, np.ndarray], name: str) -> np.ndarray:
        """How long each row of input `name` is, (N,); all of it where whole arrays were sent."""
        return lengths[name] if name in lengths else np.full(len(values), values.shape[1] if values.ndim > 1 else 0)

    # ---- out ---------------------------------------------------------------------------------------------

    def lengths_along(self, spec: TensorSpec, lengths: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """How much of each row of an output is no padding, (N,), if its second size is that of one padded input."""
        sizes = {each.name: each.shape[1] for each in self.signature.inputs if each.name in lengths}
        found = [name for name, size in sizes.items() if spec.shape[1:2] == (size,)]
        return lengths[found[0]] if len(found) == 1 else None

    def decoder(self, spec: TensorSpec) -> Tokenizer | None:
        """What makes texts of an output: of one of the kind text, and of one of ids for which a tokenizer is named."""
        if spec.kind == "text" or (spec.kind == "tokens" and spec.name in self._named):
            return self._tokenizer(spec)
        return None

    @staticmethod
    def decoded(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
        """The text up to the end that the model set, if it did. A text that was cut out of another one begins with the
        space before it, which is no part of it."""
        ids, end = list(ids), tokenizer.special("<end>")
        return tokenizer.decode(ids[: ids.index(end)] if end in ids else ids).strip()


def filled_up(spec: TensorSpec, rows: Sequence[np.ndarray], pad: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows (T, …) of their own lengths as one array (N, T, …) of the input's type, and their lengths (N,). Raises
    `Refusal` where it would be too large."""
    lengths = np.array([len(row) for row in rows])
    longest = int(lengths.max())
    _check_padded(spec, len(rows), longest)
    filled = np.full((len(rows), longest, *rows[0].shape[1:]), pad, spec.dtype)
    for place, row in zip(filled, rows, strict=True):
        place[: len(row)] = row
    return filled, lengths


def _check_padded(spec: TensorSpec, rows: int, longest: int) -> None:
    if rows * longest > MOST_PADDED:
        message = (
            f"The {rows} rows of '{spec.name}' would have {rows * longest:,} values with their padding, and "
            f"{MOST_PADDED:,} are the most: send the long rows and the short ones apart."
        )
        raise Refusal(413, "too_much_padding", message)


def padded_to(values: np.ndarray, length: int, pad: float) -> np.ndarray:
    """Values (N, T, …) with T = `length`."""
    if values.shape[1] == length:
        return values
    filled = np.full((len(values), length, *values.shape[2:]), pad, values.dtype)
    filled[:, : values.shape[1]] = values
    return filled


def elastic_sizes(signature: Signature, pads: Mapping[str, float]) -> frozenset[str]:
    """The sizes in which requests of one batch may differ: the second of inputs that `pads` has, and of no other."""
    padded = {str(spec.shape[1]) for spec in signature.inputs if spec.name in pads}
    fixed = {
        size
        for spec in signature.inputs
        for place, size in enumerate(spec.shape)
        if spec.name not in pads or place != 1
    }
    return frozenset(padded - fixed)


def too_long(message: str) -> Refusal:
    return Refusal(413, "text_too_long", message)


def _counts(spec: TensorSpec) -> bool:
    return spec.dtype in ("int64", "int32") and len(spec.shape) == 1


def _is_row(value: Any) -> bool:
    """Whether this is one row of numbers, and not a list of rows."""
    return isinstance(value, list) and bool(value) and not any(isinstance(each, list | str | bytes) for each in value)


def _unit(spec: TensorSpec) -> str:
    if spec.kind in ("text", "tokens"):
        return "token"
    return "sample" if spec.kind == "audio" else "value"
