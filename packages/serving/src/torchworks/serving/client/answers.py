"""What the Python client gives for the outputs of a model. Imports no torch and sends nothing."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

import numpy as np
from PIL import Image

from torchworks.serving import output_kinds
from torchworks.shared.data.sounds import read_sound
from torchworks.shared.models.signature import Signature, TensorSpec

Row = TypeVar("Row", covariant=True)


@dataclass(frozen=True)
class Classification:
    """The likeliest class of one row, and the probability of each."""

    label: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Findings:
    """The probability of each finding in one row; any number of them may be there."""

    probabilities: dict[str, float]

    def above(self, threshold: float = 0.5) -> list[str]:
        """Names of the findings that are at least so probable."""
        return [name for name, probability in self.probabilities.items() if probability >= threshold]


@dataclass(frozen=True)
class Detection:
    """A thing in an image: its class, from 0 to 1 how sure the model is, and x1, y1, x2, y2 in pixels of the image
    that was sent (of an array, in the model's). `number` is what it is called in masks of detections."""

    label: str
    score: float
    box: tuple[float, float, float, float]
    number: int


@dataclass(frozen=True)
class Ranked:
    """A class or an item that the model names, its score, and its title if it has one."""

    label: str
    score: float
    title: str = ""


@dataclass(frozen=True)
class Mask:
    """A number for each pixel of the image that was sent, (H, W): that of a class of `labels`, and `shares` are the
    parts of the image that each has; or, without labels, that of a detection."""

    values: np.ndarray
    labels: tuple[str, ...] = ()
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction(Sequence[Row], Generic[Row]):
    """What the model gave, a row for each row that went in: a `Classification`, `Findings`, a list of `Detection` or of
    `Ranked`, names of classes, numbers by their names, the columns of a series by theirs, a text, a dictionary of a
    text and its words with times, a `Mask`, a `Sound`, an image (Pillow), a list of images or an array, which a map of
    a quantity becomes too, (H, W); for a model with several outputs a dictionary of these by the outputs' names, where
    detections have that of the boxes and ranked classes that of the labels."""

    model: str
    version: str
    request_id: str
    rows: tuple[Row, ...]
    warnings: tuple[str, ...] = ()
    """Sentences that name what of texts the model has not seen in training."""

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Card:
    """What the service says about a model. `about` is all of it as it came."""

    name: str
    version: str
    signature: Signature
    labels: tuple[str, ...]
    limits: dict[str, Any]
    about: dict[str, Any] = field(repr=False)


def prediction_from(signature: Signature, answer: dict[str, Any]) -> Prediction[Any]:
    """From the JSON that answers a request to predict."""
    outputs = list(output_kinds.answered(signature))
    columns = {spec.name: [_row(spec, row) for row in answer["outputs"][spec.name]] for spec in outputs}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    single = [row[outputs[0].name] for row in rows] if len(outputs) == 1 else rows
    names = (answer["model"], answer["version"], answer["request_id"])
    return Prediction(*names, tuple(single), tuple(answer.get("warnings", ())))


def image_of(encoded: str) -> Image.Image:
    """The image of a PNG file in base64."""
    return Image.open(io.BytesIO(base64.b64decode(encoded)), formats=["PNG"])


def _row(spec: TensorSpec, value: Any) -> Any:
    """One row of an output, from what the service sent."""
    if output_kinds.is_mask(spec):
        return _mask(spec, value)
    if spec.kind == "boxes" and all(isinstance(found, dict) for found in value):
        return [Detection(each["label"], each["score"], tuple(each["box"]), each["number"]) for each in value]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [Ranked(each["label"], each["score"], each.get("title", "")) for each in value]
    if spec.kind in ("text", "tokens") and isinstance(value, str | dict):
        return value
    if spec.kind == "label" and spec.labels and not isinstance(value, dict):
        return value  # names
    if spec.kind == "audio" and isinstance(value, str):
        return read_sound(base64.b64decode(value))
    if isinstance(value, str):
        return image_of(value)
    if spec.kind == "image" and value and isinstance(value[0], str):
        return [image_of(each) for each in value]
    if spec.kind == "probabilities" and spec.labels:
        return Findings(value)
    if spec.kind in ("features", "series") and isinstance(value, dict):
        return value
    if spec.kind == "label" and spec.labels:
        return Classification(value["label"], value["probability"], value["probabilities"])
    return np.asarray(value, spec.dtype)


def _mask(spec: TensorSpec, value: dict[str, Any]) -> Mask | np.ndarray:
    values = np.asarray(image_of(value["png"]))
    if output_kinds.is_map(spec):
        return (value["low"] + (value["high"] - value["low"]) / output_kinds.DEEP * values).astype(np.float32)
    return Mask(values, spec.labels, value.get("shares", {}))
