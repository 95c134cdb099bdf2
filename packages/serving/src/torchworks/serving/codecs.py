"""What clients send and get: JSON, images and forms to arrays by a model's signature, and arrays back.

    codec = Codec(manifest, limits)
    inputs = codec.from_json(b'{"inputs": {"image": "iVBORw0K…"}}')      # {"image": uint8 (1, 1, 28, 28)}
    codec.to_json(outputs, inputs)                                       # {"probability": [{"label": "7", …}]}

| input | as JSON |
|---|---|
| any | nested lists of numbers, of the signature's shape |
| image of bytes | also PNG, JPEG or WEBP as base64 (or a data: address), one or a list |
| video of bytes | also a film file as base64, a list of its frames, or a list of such lists (`films.py`) |
| label with names | also names; a single one holds for all rows |
| id | what the caller calls a user or an item; lists of them for an input with a pad (`ids.py`) |
| molecule | a SMILES or a list of them (`molecules.py`) |
| audio with a rate and a pad | a WAV or FLAC file as base64, or a list of them (`sounds.py`) |
| series with names of columns | a table in CSV, or columns of numbers, perhaps with time stamps (`series_tables.py`) |
| what is known of a series' future | may be left out if all its columns are the calendar's (`calendars.py`) |
| text | a string or a list of strings |
| tokens, or any input with a pad | rows of different lengths |
| latent | may be left out: "seed" and "n" beside the other inputs draw it, as `gans sample` does |
| another latent | may be left out: "NAME_seed" draws it, and without that it is the first one |
| with a default | may be left out; a single number holds for all rows; null, alone or for a row, is the default |
| length of a text or of tokens | may be left out |

An image becomes exactly the pixels that training would read from its file: its middle, all of it for a model of any
size, or the whole of it in a letterbox if the model's preprocessing says so. Then boxes and masks are answered in the
image's own pixels.
`output_kinds.py` has what is written for them, `padding.py` how texts and other rows of different lengths are read.
Whatever does not fit raises `Refusal`.
"""

import base64
import codecs
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from pydantic_core import from_json

from torchworks.serving import output_kinds
from torchworks.serving.bundle import BundleManifest
from torchworks.serving.calendars import NONE, Calendar, calendars_of
from torchworks.serving.errors import Refusal, invalid
from torchworks.serving.films import film_rows, frames_of, read_films, takes_films
from torchworks.serving.ids import Tokens
from torchworks.serving.image_files import (
    as_bytes,
    encoded_images,
    gives_files,
    gives_pictures,
    gives_rows_of_pictures,
    png,
    read_letterboxed,
    read_pictures,
    takes_pictures,
)
from torchworks.serving.largest_image import TOGETHER, Largest
from torchworks.serving.latents import draw
from torchworks.serving.limits import Limits
from torchworks.serving.molecules import Smiles
from torchworks.serving.padding import Padding, Tokenizers, filled_up
from torchworks.serving.plain_values import loose, named, numbers, whole
from torchworks.serving.series_tables import SeriesTables, columns, gives_columns, stamps_of, takes_series
from torchworks.serving.sounds import gives_sounds, read_sounds, sounds_of, takes_sounds, wav_of
from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.fitting import Letterbox
from torchworks.shared.models.signature import TensorSpec

DRAWN = ("seed", "n")
"""Beside the inputs of a model that draws its own latents."""
LARGEST_SEED = 2**63
QUICK_VALUES = 4096
"""So few numbers are written where they are, without a thread."""


class Inputs(dict[str, np.ndarray]):
    """Arrays by name. `letterboxes` are those of the rows' images, empty where the model got other pixels. `lengths`
    has how much of each row is no padding, (N,), and `stamps` the time stamps of each row's steps, if it has some, by
    the input's name. `sent` are the names that the request had, `warnings` are for whoever gets the answer."""

    letterboxes: Sequence[Letterbox]
    lengths: dict[str, np.ndarray]
    stamps: dict[str, Sequence[Sequence[datetime]]]
    sent: frozenset[str]
    warnings: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.letterboxes, self.lengths, self.stamps, self.warnings = (), {}, {}, []
        self.sent = frozenset()


@dataclass(frozen=True)
class Rows:
    """What is known of the rows that an answer is written for: that of `Inputs`, or of a part of them."""

    letterboxes: Sequence[Letterbox] = ()
    lengths: Mapping[str, np.ndarray] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    stamps: Mapping[str, Sequence[Sequence[datetime]]] = field(default_factory=dict)

    @classmethod
    def of(cls, inputs: Mapping[str, np.ndarray], part: slice = slice(None)) -> "Rows":
        """Of a part of what was sent."""
        if not isinstance(inputs, Inputs):
            return cls()
        lengths = {name: value[part] for name, value in inputs.lengths.items()}
        stamps = {name: value[part] for name, value in inputs.stamps.items()}
        return cls(inputs.letterboxes[part], lengths, inputs.warnings, stamps)

    @property
    def warned(self) -> dict[str, Any]:
        """What an answer in JSON has beside the others' fields: `warnings`, if there are any."""
        return warned(self.warnings)

    def letterbox(self, row: int) -> Letterbox | None:
        return self.letterboxes[row] if self.letterboxes else None


EVERY = Rows()


def warned(warnings: Sequence[str]) -> dict[str, Any]:
    """The field of an answer for `warnings`, if there are any."""
    return {"warnings": list(warnings)} if warnings else {}


def _rows(arrays: Mapping[str, np.ndarray]) -> int:
    return max((len(array) for array in arrays.values() if array.ndim), default=1)


def text_of(body: bytes) -> bytes:
    """The text of a body without the mark that some editors and shells set before it; raises `Refusal` for UTF-16."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Refusal(400, "bad_json", "The body is UTF-16, and JSON must be UTF-8.")
    return body.removeprefix(codecs.BOM_UTF8)


def parse(body: bytes) -> Any:
    """JSON without NaN and infinity; raises `Refusal`."""
    try:
        return from_json(text_of(body), allow_inf_nan=False)
    except ValueError as error:
        raise Refusal(400, "bad_json", "The body is not JSON.") from error


class Codec:
    """Of one model version. `tokenizers` are those of the bundle's texts, by the names of their files."""

    def __init__(self, manifest: BundleManifest, limits: Limits, tokenizers: Tokenizers | None = None):
        self.manifest, self.limits, self.signature = manifest, limits, manifest.signature
        self.specs = {spec.name: spec for spec in self.signature.inputs}
        self.padding = Padding(
            manifest.signature, manifest.preprocessing, tokenizers or {}, limits.text_tokens, limits.sound_seconds
        )
        self.ids = {spec.name: Tokens(spec) for spec in self.signature.inputs if spec.kind == "id"}
        molecules = [spec for spec in self.signature.inputs if spec.kind == "molecule"]
        self.molecules = {spec.name: Smiles(spec, self.signature.most.get(str(spec.shape[1]))) for spec in molecules}
        self.latent = next((spec for spec in self.signature.inputs if spec.kind == "latent"), None)
        self.more_latents = self.signature.more_latents
        most = limits.series_steps
        self.calendars = calendars_of(manifest.signature, manifest.preprocessing)
        self.tables = {
            spec.name: SeriesTables(
                spec, min(self.signature.most.get(str(spec.shape[1]), most), most), self.calendar(spec)
            )
            for spec in self.signature.inputs
            if takes_series(spec)
        }
        self.file = next((spec for spec in self.signature.inputs if self.takes_file(spec)), None)
        self.whole = {spec.name for spec in self.signature.inputs if _letterboxes(manifest, spec)}
        self.detections = output_kinds.detections(self.signature)
        self.ranking = output_kinds.ranking(self.signature)
        self.transcript = output_kinds.transcript(self.signature)
        self.answered = list(output_kinds.answered(self.signature))
        self.colours = output_kinds.colours(self.signature)

    def within(self, limits: Limits) -> "Codec":
        """The same with other limits."""
        return Codec(self.manifest, limits, self.padding.tokenizers)

    @property
    def written(self) -> bool:
        """Whether the model takes something that people write, so that a request needs no `inputs` around it."""
        return bool(self.padding.texts or self.molecules)

    @staticmethod
    def takes_file(spec: TensorSpec) -> bool:
        """Whether a file can become this input: an image, a film, a sound, a table."""
        return takes_pictures(spec) or takes_films(spec) or takes_sounds(spec) or takes_series(spec)

    def optional(self, spec: TensorSpec) -> bool:
        """Whether a request may leave this input out whatever else it has."""
        made = self.calendar(spec).optional(spec)
        another = spec in self.more_latents.values()
        return spec.default is not None or spec.name in self.padding.lengths or made or another

    def calendar(self, spec: TensorSpec) -> Calendar:
        """Which columns of a series the service makes."""
        return self.calendars.get(spec.name, NONE)

    # ---- in ----------------------------------------------------------------------------------------------

    def from_json(self, body: bytes) -> Inputs:
        """The arrays of `{"inputs": {name: value}}`; for a model that takes texts or SMILES, of `{name: value}` too."""
        document = parse(body)
        if self.written and isinstance(document, dict) and document and document.keys() <= {*self.specs, *DRAWN}:
            return self.from_values(document)
        given = document.get("inputs") if isinstance(document, dict) else None
        if not isinstance(given, dict) or len(document) > 1:
            raise invalid('The body must be a JSON object with one field, "inputs": an object of the model\'s inputs.')
        return self.from_values(given)

    def from_file(self, data: bytes) -> Inputs:
        """The arrays of a body that is a file; only for a model whose one required input is one."""
        if self.file is None or not all(self.optional(spec) for spec in self.specs.values() if spec != self.file):
            names = ", ".join(self.specs)
            raise Refusal(415, "wrong_type", f"This model's inputs are {names}, not one file: send them as JSON.")
        return self.from_values({self.file.name: data})

    def from_form(self, parts: Sequence[tuple[str, bytes | str]]) -> Inputs:
        """The arrays of a form."""
        return self.from_values(self.values_of(parts))

    def values_of(self, parts: Sequence[tuple[str, bytes | str]]) -> dict[str, Any]:
        """What a form's names stand for: files are images and the like, texts are texts, class names or JSON; parts of
        one name are rows."""
        given: dict[str, list[Any]] = {}
        for name, part in parts:
            given.setdefault(name, []).append(part if isinstance(part, bytes) else self._of_text(name, part))
        return {name: part[0] if len(part) == 1 else part for name, part in given.items()}

    def _of_text(self, name: str, text: str) -> Any:
        """What a text in a form stands for. A class name is that name, whatever else it looks like; where class names
        look like numbers, any number alone is a name too, as nobody could say which of the two is meant."""
        labels = self.specs[name].labels if name in self.specs and self.specs[name].kind == "label" else ()
        if name in self.padding.texts or text in labels or (name in self.ids and not text.startswith("[")):
            return text
        value = loose(text)
        if name in self.molecules and not isinstance(value, list):
            return text
        return text if type(value) is int and any(type(loose(label)) is int for label in labels) else value

    def from_values(self, given: Mapping[str, Any]) -> Inputs:
        """Arrays of what the inputs' names stand for."""
        draws = self.latent is not None and self.latent.name not in given
        extra = (*(DRAWN if draws else ()), *self.more_latents)
        for name in given:
            if name not in self.specs and name not in extra:
                raise invalid(f"The model has no such input.{nearest(name, self.specs)} Its inputs: {self._inputs()}.")
            if name in self.more_latents and (drawn := self.more_latents[name].name) in given:
                raise invalid(f"'{name}' draws '{drawn}', which is given: leave out one of the two.")
        arrays = Inputs()
        for name, spec in self.specs.items():
            if name in given:
                self.read(arrays, spec, given[name])
            elif self.calendar(spec).optional(spec) and self.calendar(spec).follows in arrays:
                self._make_table(arrays, spec)
        arrays.sent = frozenset(given)
        if draws:
            self._add_latent(arrays, given)
        for name, spec in self.more_latents.items():
            if name in given:
                seed = whole(name, given[name], 0, LARGEST_SEED)
                arrays[spec.name] = self._drawn(spec, seed, min(_rows(arrays), self.limits.rows))
        self.complete(arrays)
        return arrays

    def _inputs(self) -> str:
        return ", ".join([*self.specs, *(DRAWN if self.latent else ()), *self.more_latents])

    def read(self, arrays: Inputs, spec: TensorSpec, value: Any) -> None:
        """Add one input to `arrays`, with what is to be remembered of its rows."""
        gaps = spec.default is not None and spec.name not in self.padding.pads
        if gaps and value is None:
            return
        if gaps and isinstance(value, list) and None in value:
            self._read_with_gaps(arrays, spec, value)
            return
        if spec.name in self.ids:
            value = self.ids[spec.name].numbers(value)
        if spec.name in self.molecules:
            known = self.molecules[spec.name]
            read = known.tables(value, self.limits.rows) if known.reads(value) else numbers(spec, value)
            arrays[spec.name] = read
        elif takes_films(spec) and (films := film_rows(value)):
            self._read_films(arrays, spec, films)
        elif takes_pictures(spec) and (images := encoded_images(value)):
            self._read_images(arrays, spec, images)
        elif takes_sounds(spec) and (sounds := encoded_images(value)):
            self._read_sounds(arrays, spec, sounds)
        elif spec.name in self.tables:
            self._read_tables(arrays, spec, value)
        elif spec.name in self.padding.pads:
            rows = self.padding.rows(spec, value, self.limits.rows)
            arrays[spec.name] = numbers(spec, rows.values)
            arrays.lengths[spec.name] = np.array(rows.lengths)
            arrays.warnings += rows.warnings
        else:
            given = named(spec, value) if spec.kind == "label" and spec.labels else value
            one = spec.default is not None and not isinstance(value, list) and isinstance(given, list)
            arrays[spec.name] = numbers(spec, given[0] if one else given)  # a single one holds for all rows

    def _read_with_gaps(self, arrays: Inputs, spec: TensorSpec, rows: list[Any]) -> None:
        """Rows of an input with a default, which those that are null get."""
        there = [i for i, row in enumerate(rows) if row is not None]
        if len(rows) > self.limits.rows:
            message = f"'{spec.name}' has more rows than the {self.limits.rows} of a request."
            raise Refusal(413, "too_many_rows", message)
        if not there:
            return
        self.read(arrays, spec, [rows[i] for i in there])
        given = arrays[spec.name]
        arrays[spec.name] = np.full((len(rows), *given.shape[1:]), spec.default, spec.dtype)
        arrays[spec.name][there] = given

    def _read_images(self, arrays: Inputs, spec: TensorSpec, images: list[Any]) -> None:
        if len(images) > self.limits.rows:
            raise Refusal(413, "too_many_rows", f"A request may have {self.limits.rows} images.")
        files = map(as_bytes, images)
        if spec.name in self.whole:
            arrays[spec.name], boxes = read_letterboxed(files, spec, self.limits)
            arrays.letterboxes = arrays.letterboxes or boxes
        else:
            arrays[spec.name] = read_pictures(files, spec, self.limits, self.signature.most)

    def _read_films(self, arrays: Inputs, spec: TensorSpec, films: list[Any]) -> None:
        if len(films) > self.limits.rows:
            raise Refusal(413, "too_many_rows", f"A request may have {self.limits.rows} films.")
        arrays[spec.name] = read_films(
            films, spec, frames_of(spec, self.manifest.preprocessing.get(spec.name)), self.limits
        )

    def _read_sounds(self, arrays: Inputs, spec: TensorSpec, sounds: list[Any]) -> None:
        if len(sounds) > self.limits.rows:
            raise Refusal(413, "too_many_rows", f"A request may have {self.limits.rows} sounds.")
        rows, warnings = read_sounds(sounds, spec, self.limits)
        arrays[spec.name], arrays.lengths[spec.name] = filled_up(spec, rows, self.padding.pads[spec.name])
        arrays.warnings += warnings

    def _read_tables(self, arrays: Inputs, spec: TensorSpec, value: Any) -> None:
        before = arrays.stamps.get(self.calendar(spec).follows, ())
        found = self.tables[spec.name].read(value, self.limits.rows, before)
        rows = [table.values for table in found]
        if spec.name in self.padding.pads:
            arrays[spec.name], arrays.lengths[spec.name] = filled_up(spec, rows, self.padding.pads[spec.name])
        elif len({len(row) for row in rows}) > 1:
            raise invalid(f"All series of '{spec.name}' must have the same number of steps: send others apart.")
        else:
            arrays[spec.name] = np.stack(rows)
        arrays.stamps[spec.name] = [table.stamps for table in found]

    def _make_table(self, arrays: Inputs, spec: TensorSpec) -> None:
        """What is known of the future where all of it follows from the time stamps."""
        earlier = self.calendar(spec).follows
        before = arrays.stamps.get(earlier) or [()] * len(arrays[earlier])
        arrays[spec.name] = np.stack([table.values for table in self.tables[spec.name].made(before)])

    def complete(self, arrays: Inputs) -> None:
        """Add the inputs that were left out and may be. Raises `Refusal` unless all fit the signature and the limit of
        rows."""
        self.padding.level(arrays)
        for spec in self.more_latents.values():
            if spec.name not in arrays and self.latent is not None and self.latent.name in arrays:
                arrays[spec.name] = arrays[self.latent.name]
        for spec in self.signature.inputs:
            given = arrays.get(spec.name)
            if given is None and (padded := self.padding.lengths.get(spec.name)) is not None and padded in arrays:
                arrays[spec.name] = self.padding.length(arrays[padded], arrays.lengths, padded).astype(spec.dtype)
            elif spec.default is not None and spec.shape and (given is None or given.ndim == 0):
                value = np.asarray(spec.default, spec.dtype) if given is None else given
                arrays[spec.name] = np.broadcast_to(value, self._shape(spec, arrays)).copy()
            elif spec.default is not None and given is None:
                arrays[spec.name] = np.asarray(spec.default, spec.dtype)
        self.check(arrays)

    def _shape(self, spec: TensorSpec, arrays: Inputs) -> tuple[int, ...]:
        """Of an input that was left out: as many rows as the others have, each with its pad alone if it has one."""
        beside = (arrays[other.name] for other in self.signature.inputs if other.name in arrays and other != spec)
        rows = max((len(array) for array in beside if array.ndim), default=1)
        first, *others = (size if isinstance(size, int) else None for size in spec.shape)
        return (rows if first is None else first, *(1 if size is None else size for size in others))

    def check(self, arrays: dict[str, np.ndarray]) -> None:
        """Raise `Refusal` unless the arrays fit the signature and the limit of rows."""
        for name, array in arrays.items():
            if array.ndim and len(array) > self.limits.rows:
                raise Refusal(413, "too_many_rows", f"'{name}' has more rows than the {self.limits.rows} of a request.")
        try:
            self.signature.check(arrays)
        except UserError as error:
            raise invalid(str(error)) from error
        for spec in self.signature.inputs:
            if spec.name in arrays and (largest := Largest.of(spec, self.signature.most)) is not None:
                n, _, height, width = arrays[spec.name].shape
                largest.check_together(TOGETHER * largest.pixels - n * height * width)
        self.padding.check(arrays)
        for name, padded in self.padding.lengths.items():
            if name in arrays and arrays[padded].ndim > 1 and arrays[name].max() > (size := arrays[padded].shape[1]):
                raise invalid(f"'{name}' says {arrays[name].max()}, but the rows of '{padded}' have {size} at most.")

    def _add_latent(self, arrays: Inputs, given: Mapping[str, Any]) -> None:
        """Draw the latents that were left out, and for what else was left out take all classes in turn."""
        assert self.latent is not None
        n = whole("n", given.get("n", _rows(arrays)), 1, self.limits.rows)
        seed = whole("seed", given.get("seed", 0), 0, LARGEST_SEED)
        drawn = self._drawn(self.latent, seed, n)
        for spec in self.signature.inputs:
            if spec.kind == "label" and spec.labels and spec.default is None and spec.name not in arrays:
                arrays[spec.name] = (np.arange(n) % len(spec.labels)).astype(spec.dtype)
            elif spec.name in arrays and arrays[spec.name].shape[:1] == (1,):
                arrays[spec.name] = np.repeat(arrays[spec.name], n, axis=0)
        arrays[self.latent.name] = drawn

    def _drawn(self, spec: TensorSpec, seed: int, n: int) -> np.ndarray:
        """Rows of a latent input."""
        row = [size for size in spec.shape[1:] if isinstance(size, int)]
        if len(row) != len(spec.shape) - 1 or not row:
            raise invalid(f"'{spec.name}' cannot be drawn by its shape, so it must be given.")
        uniform = self.manifest.defaults.get(spec.name) == "uniform"
        return draw(seed, range(n), math.prod(row), uniform=uniform).reshape(n, *row)

    # ---- out ---------------------------------------------------------------------------------------------

    def to_json(
        self, outputs: Mapping[str, np.ndarray], rows: Rows = EVERY, least_score: float = 0.0, states: bool = False
    ) -> dict[str, Any]:
        """Outputs for people: classes by name, detections of at least a score, images and masks as base64 PNG, texts as
        strings, sounds as base64 WAV, series by their columns, anything else as nested lists without padding. With
        `states` also what the model remembers."""
        found = self._listed(outputs, rows, least_score)
        kept = {name: outputs[name].tolist() for name in self.signature.states.values()} if states else {}
        return {spec.name: self._readable(spec, outputs, rows, found) for spec in self.answered} | kept

    def to_png(self, outputs: Mapping[str, np.ndarray], rows: Rows = EVERY, least_score: float = 0.0) -> bytes:
        """The first image or mask that the model gives, as a file; raises `Refusal` if there is none, or for several
        rows."""
        spec = next((spec for spec in self.answered if gives_files(spec)), None)
        if spec is None or len(outputs[spec.name]) > 1:
            message = (
                "Accept: image/png is for models that give an image or a mask, and for one row. Accept JSON instead."
            )
            raise invalid(message)
        if gives_pictures(spec):
            return png(spec, outputs[spec.name][0])
        masks = self._masks(spec, outputs, self._listed(outputs, rows, least_score))
        return output_kinds.Painter(spec, self.colours).png(masks[0], rows.letterbox(0))

    def to_wav(self, outputs: Mapping[str, np.ndarray]) -> bytes:
        """The first sound that the model gives, as a file; raises `Refusal` if there is none, or for several rows."""
        spec = next((spec for spec in self.answered if gives_sounds(spec)), None)
        if spec is None or len(outputs[spec.name]) > 1:
            message = "Accept: audio/wav is for models that give sound, and for one row. Accept JSON instead."
            raise invalid(message)
        return wav_of(spec, sounds_of(self.signature, spec, outputs)[0])

    def heavy(self, outputs: Mapping[str, np.ndarray]) -> bool:
        """Whether writing them takes long enough to be done beside the event loop."""
        files = any(gives_files(spec) or gives_rows_of_pictures(spec) for spec in self.answered)
        return files or sum(value.size for value in outputs.values()) > QUICK_VALUES

    def _listed(self, outputs: Mapping[str, np.ndarray], rows: Rows, least_score: float) -> list:
        """The detections of each row."""
        if self.detections is None:
            return []
        images = range(len(outputs[self.detections.boxes.name]))
        return [self.detections.listed(outputs, i, least_score, rows.letterbox(i)) for i in images]

    def _readable(self, spec: TensorSpec, outputs: Mapping[str, np.ndarray], rows: Rows, found: list) -> list[Any]:
        if self.detections is not None and spec.name == self.detections.boxes.name:
            return found
        if self.ranking is not None and spec.name == self.ranking.label.name:
            return [self.ranking.listed(outputs, row) for row in range(len(outputs[spec.name]))]
        if self.transcript is not None and spec.name == self.transcript.letters.name:
            return [self.transcript.listed(outputs, row) for row in range(len(outputs[spec.name]))]
        if output_kinds.is_mask(spec):
            painter = output_kinds.Painter(spec, self.colours)
            masks = self._masks(spec, outputs, found)
            return [painter.written(mask, rows.letterbox(i)) for i, mask in enumerate(masks)]
        if gives_pictures(spec):
            return [_encoded(spec, image) for image in outputs[spec.name]]
        if gives_sounds(spec):
            sounds = sounds_of(self.signature, spec, outputs)
            return [base64.b64encode(wav_of(spec, sound)).decode("ascii") for sound in sounds]
        if gives_columns(spec):
            return self._columns(spec, outputs, rows)
        if gives_rows_of_pictures(spec):
            return [[_encoded(spec, image) for image in row] for row in outputs[spec.name]]
        listed = self._without_padding(spec, outputs, rows)
        if (tokenizer := self.padding.decoder(spec)) is not None:
            return [self.padding.decoded(tokenizer, row) for row in listed]
        return _readable(spec, outputs[spec.name].shape, listed)

    def _columns(self, spec: TensorSpec, outputs: Mapping[str, np.ndarray], rows: Rows) -> list[dict[str, Any]]:
        """A series (N, T, C) by its columns, without padding, with the stamps that it has or goes on with."""
        lengths, told = self._lengths(spec, outputs, rows), []
        for i, row in enumerate(outputs[spec.name]):
            kept = row if lengths is None else row[: int(lengths[i])]
            told.append(columns(spec, kept, stamps_of(self.signature, spec, rows.stamps, i, len(kept))))
        return told

    def _lengths(self, spec: TensorSpec, outputs: Mapping[str, np.ndarray], rows: Rows) -> np.ndarray | None:
        """How much of each row of an output is no padding: as another output tells, or, of one with a position for
        each of the input's, as was sent; None if all of it is."""
        told = output_kinds.length_output(self.signature, spec)
        return self.padding.lengths_along(spec, rows.lengths) if told is None else outputs[told.name]

    def _without_padding(self, spec: TensorSpec, outputs: Mapping[str, np.ndarray], rows: Rows) -> list[Any]:
        """Rows of an output as lists."""
        listed, lengths = outputs[spec.name].tolist(), self._lengths(spec, outputs, rows)
        if lengths is None:
            return listed
        return [row[:length] for row, length in zip(listed, lengths.tolist(), strict=True)]

    def _masks(self, spec: TensorSpec, outputs: Mapping[str, np.ndarray], found: list) -> Sequence[np.ndarray]:
        masks = list(outputs[spec.name])
        if not (output_kinds.is_instances(spec) and found):
            return masks
        return [output_kinds.only(mask, listed) for mask, listed in zip(masks, found, strict=True)]


def _encoded(spec: TensorSpec, image: np.ndarray) -> str:
    return base64.b64encode(png(spec, image)).decode("ascii")


def _letterboxes(manifest: BundleManifest, spec: TensorSpec) -> bool:
    """Whether the model was trained on whole images."""
    said = manifest.preprocessing.get(spec.name)
    return takes_pictures(spec) and isinstance(said, dict) and said.get("fit") == "letterbox"


# ------------------------------------------------------------------------------------------------------- answers


def _readable(spec: TensorSpec, shape: tuple[int, ...], listed: list[Any]) -> list[Any]:
    """The rows of an output of this shape for people."""
    if spec.labels and spec.kind == "label" and spec.dtype in output_kinds.INTEGERS:
        return output_kinds.all_named(spec, listed)
    named = spec.labels and shape[1:] == (len(spec.labels),)
    if named and spec.kind == "label":
        return [_class(spec.labels, row) for row in listed]
    if named and spec.kind in ("probabilities", "features"):
        return [dict(zip(spec.labels, row, strict=True)) for row in listed]
    return listed


def _class(labels: tuple[str, ...], row: list[float]) -> dict[str, Any]:
    """One row of probabilities."""
    best = max(range(len(row)), key=row.__getitem__)
    return {
        "label": labels[best],
        "probability": row[best],
        "probabilities": dict(zip(labels, row, strict=True)),
    }
