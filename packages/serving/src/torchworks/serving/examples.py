"""Requests that a model answers, made of its golden example."""

import base64
import math
from typing import Any

import numpy as np

from torchworks.serving import addresses
from torchworks.serving.codecs import Codec
from torchworks.serving.films import film_png, takes_films
from torchworks.serving.ids import tokens_of
from torchworks.serving.image_files import png, takes_pictures
from torchworks.serving.routes.v2 import DATATYPES
from torchworks.serving.series_tables import csv_of, takes_series
from torchworks.serving.served import ServedModel
from torchworks.serving.sounds import takes_sounds, wav_of
from torchworks.shared.models.signature import TensorSpec

EXAMPLE_VALUES = 4096
"""An example with more numbers would be no help; it is left out where images can be sent instead."""
PROMPT_TOKENS = 48
"""Of an example of a prompt."""
Schema = dict[str, Any]


def examples(served: ServedModel) -> list[Schema]:
    """Requests as JSON that the model answers: its golden example's first row, images as files first."""
    codec = served.codec
    made = []
    if codec.latent is not None:
        made.append({"seed": 0, "n": 2} | _asked(served))
    if codec.file is not None:
        made.append(_first_row(served, as_files=True))
    if not made or sum(value.size // len(value) for value in served.golden.values() if value.ndim) <= EXAMPLE_VALUES:
        made.append(_first_row(served, as_files=False))
    return [{"inputs": inputs} for inputs in made]


def example_file(served: ServedModel) -> bytes:
    """The golden example's first row as a file, of a model that takes files."""
    spec = served.codec.file
    assert spec is not None, "asked only of a model that takes files"
    return _file(served, spec)


def _file(served: ServedModel, spec: TensorSpec) -> bytes:
    """An image or a film as a PNG file, a sound as WAV, a series as CSV; without padding."""
    value = _example(served, spec.name)[0]
    if takes_pictures(spec):
        return png(spec, value)
    if takes_films(spec):
        return film_png(spec, value)
    length = next((name for name, of in served.codec.padding.lengths.items() if of == spec.name), None)
    value = value if length is None else value[: int(_example(served, length)[0])]
    return wav_of(spec, value) if takes_sounds(spec) else csv_of(spec, value, served.codec.calendar(spec))


def _first_row(served: ServedModel, *, as_files: bool) -> Schema:
    row: Schema = {}
    padding = served.codec.padding
    for spec in served.codec.specs.values():
        if spec.name in padding.lengths or spec.kind == "state":
            continue
        if as_files and served.codec.calendar(spec).optional(spec):
            continue
        value = _example(served, spec.name)
        if (tokenizer := padding.texts.get(spec.name)) is not None:
            row[spec.name] = [tokenizer.decode(ids) for ids in value.tolist()]
        elif as_files and Codec.takes_file(spec):
            file = _file(served, spec)
            row[spec.name] = file.decode() if takes_series(spec) else base64.b64encode(file).decode("ascii")
        elif spec.kind == "id":
            if any(tokens := [tokens_of(spec, each) for each in value.tolist()]):
                row[spec.name] = tokens
        elif spec.kind == "molecule":
            row[spec.name] = served.codec.molecules[spec.name].written(value)
        elif spec.kind == "label" and spec.labels:
            row[spec.name] = [spec.labels[number] for number in value.tolist()]
        else:
            row[spec.name] = value.tolist()
    return row


def generation_examples(served: ServedModel) -> dict[str, Schema]:
    """Requests to generate text, of a model that does: `generate`, and by the addresses of OpenAI's API."""
    if served.generation is None:
        return {}
    prompt = prompt_example(served)
    messages = [{"role": "user", "content": prompt}]
    return {
        "generate": {"prompt": prompt, "max_tokens": 20},
        addresses.COMPLETIONS: {"model": served.name, "prompt": prompt, "max_tokens": 20},
        addresses.CHAT: {"model": served.name, "messages": messages, "max_tokens": 20},
    }


def draw_example(served: ServedModel) -> Schema:
    """A request to draw, of a model that does so step by step."""
    assert served.drawing is not None, "asked only of diffusion models"
    spec = served.drawing.spec
    return {"seed": 0} | _asked(served) | {"steps": spec.drawing.steps}


def _asked(served: ServedModel) -> Schema:
    """The conditions of an image that is drawn by a seed."""
    specs = [spec for spec in served.codec.specs.values() if spec.default is None]
    labels = {spec.name: spec.labels[0] for spec in specs if spec.kind == "label" and spec.labels}
    row = _first_row(served, as_files=False) if served.codec.padding.texts else {}
    return labels | {name: row[name] for name in served.codec.padding.texts}


def prompt_example(served: ServedModel) -> str:
    """The beginning of the golden example's first text, short enough to be continued."""
    assert served.generation is not None, "asked only of a model that generates text"
    spec = served.generation.spec
    tokenizer = served.codec.padding.tokenizers[spec.tokenizer]
    most = PROMPT_TOKENS if spec.block is None or spec.answers else min(PROMPT_TOKENS, spec.block // 4)
    length = min(int(served.golden["length"][0]), max(1, most))
    return tokenizer.decode(served.golden["text"][0, :length].tolist())


def _example(served: ServedModel, name: str) -> np.ndarray:
    """The golden input, of one row if it has rows."""
    value = served.golden[name]
    return value[:1] if served.signature.rows_name else value


def v2_example(served: ServedModel) -> Schema:
    """A request of the Open Inference Protocol that the model answers."""
    tensors = []
    for spec in served.codec.specs.values():
        value = _example(served, spec.name)
        tensor: Schema = {"name": spec.name, "shape": list(value.shape), "datatype": DATATYPES[spec.dtype]}
        if served.codec.takes_file(spec) and math.prod(value.shape) > EXAMPLE_VALUES:
            file = base64.b64encode(_file(served, spec)).decode("ascii")
            tensors.append(tensor | {"shape": [1], "datatype": "BYTES", "data": [file]})
        else:
            tensors.append(tensor | {"data": value.reshape(-1).tolist()})
    return {"inputs": tensors}
