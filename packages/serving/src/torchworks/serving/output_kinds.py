"""What a model sees where: boxes, masks and maps of a quantity, found in its signature and written for people.

    found = detections(signature)          # the outputs boxes, score and label that belong together, or None
    found.listed(outputs, 0, 0.5, None)    # [{"label": "car", "score": 0.9, "box": [x1, y1, x2, y2], "number": 1}]

| output | what it is | written as |
|---|---|---|
| boxes (N, D, 4) with score (N, D) and whole label (N, D), −1: nothing | detections | a list for each image |
| whole label or id (N, K) with a score of its shape, no boxes | a ranking | a list of label, score, perhaps title |
| tokens (N, K) with labels, of which "" is the first: nothing | what was heard or said | text, words with their times |
| mask, uint8 (N, S, S), with labels | a class for each pixel | a PNG of class numbers with a palette, and shares |
| mask, uint8 (N, S, S), without | the number of the detection that is seen there, from 1 on | a grey PNG |
| mask, float32 (N, S, S), with low and high | a map of a quantity | a grey PNG of 16 bits between low and high |

They are found by kind and shape; their names are the model's. Where an image was letterboxed, boxes are in the pixels
of the image, and masks have its size.

Shape letters: N images, D detections of one image, S pixels.
"""

import base64
import colorsys
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from torchworks.shared.data.fitting import Letterbox
from torchworks.shared.models.signature import Signature, TensorSpec

NOTHING = -1
"""The label of a row without a detection."""
SURE = 0.5
"""The score from which on a detection counts where some have to be chosen."""
DEEP = 65535
"""The largest value of a map's pixels."""
BACKGROUND = "background"
OTHER = (150, 150, 150)
"""The colour of pixels whose number is no class."""
INTEGERS = ("int64", "int32", "uint8")
Outputs = Mapping[str, np.ndarray]


# ------------------------------------------------------------------------------------------------ in a signature


@dataclass(frozen=True)
class Detections:
    """Three outputs that tell of the same D detections."""

    boxes: TensorSpec
    score: TensorSpec
    label: TensorSpec

    @property
    def names(self) -> tuple[str, str, str]:
        return self.boxes.name, self.score.name, self.label.name

    def rows(self, outputs: Outputs, image: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of one image: which of the D rows are detections, (R,), their boxes (R, 4), scores and labels (R,)."""
        boxes, score, label = (outputs[name][image] for name in self.names)
        there = np.flatnonzero(label != NOTHING)
        return there, boxes[there], score[there], label[there]

    def listed(self, outputs: Outputs, image: int, least_score: float, box: Letterbox | None) -> list[dict[str, Any]]:
        """Of one image, with boxes in the image's pixels if its letterbox `box` is known. "number" is that of the
        detection in masks of detections."""
        there, boxes, score, label = self.rows(outputs, image)
        boxes = boxes if box is None else box.boxes_back(boxes)
        fields = zip(label.tolist(), score.tolist(), boxes.tolist(), there.tolist(), strict=True)
        return [
            {"label": named(self.label, k), "score": score, "box": box, "number": row + 1}
            for k, score, box, row in fields
            if score >= least_score
        ]


@dataclass(frozen=True)
class Ranking:
    """Two outputs (N, K): classes or items in the model's order, and a score of each."""

    label: TensorSpec
    score: TensorSpec

    def listed(self, outputs: Outputs, row: int) -> list[dict[str, Any]]:
        """Of one row."""
        pairs = zip(outputs[self.label.name][row].tolist(), outputs[self.score.name][row].tolist(), strict=True)
        titles = self.label.titles
        return [
            {"label": named(self.label, k), "score": score} | ({"title": titles[k]} if titles else {})
            for k, score in pairs
            if k != NOTHING
        ]


@dataclass(frozen=True)
class Transcript:
    """An output (N, K) of letters, or of sounds, by their numbers, and one of when each begins, if there is one."""

    letters: TensorSpec
    seconds: TensorSpec | None

    def listed(self, outputs: Outputs, row: int) -> str | dict[str, Any]:
        """The text of one row; with times also its words and when each begins."""
        numbers = outputs[self.letters.name][row].tolist()
        there = [place for place, number in enumerate(numbers) if number]
        signs = [named(self.letters, numbers[place]) for place in there]
        text = self.between.join(signs)
        if self.seconds is None:
            return " ".join(text.split())
        seconds, words = outputs[self.seconds.name][row].tolist(), []
        begins = True
        for place, sign in zip(there, signs, strict=True):
            if sign.isspace():
                begins = True
                continue
            if begins or self.between:
                words.append({"word": sign, "seconds": seconds[place]})
            else:
                words[-1]["word"] += sign
            begins = False
        return {"text": " ".join(text.split()), "words": words}

    @property
    def between(self) -> str:
        """What stands between two signs: nothing between letters, a space between sounds, which have longer names."""
        return "" if all(len(label) <= 1 for label in self.letters.labels) else " "


def transcript(signature: Signature) -> Transcript | None:
    """The first tokens (N, K) with labels whose first is "", and the seconds of its shape, if there are any."""
    for spec in signature.outputs:
        if spec.kind == "tokens" and len(spec.shape) == 2 and spec.labels[:1] == ("",) and spec.dtype in INTEGERS:
            names = ("seconds", f"{spec.name}_seconds")
            times = (each for each in signature.outputs if each.name in names and each.shape == spec.shape)
            return Transcript(spec, next(times, None))
    return None


def length_output(signature: Signature, spec: TensorSpec) -> TensorSpec | None:
    """The output that tells how much of each row of another one is no padding: whole numbers (N,) called NAME_length,
    or `length`."""
    names = (f"{spec.name}_length", "length")
    found = [each for each in signature.outputs if each.name in names and each.shape == spec.shape[:1] != spec.shape]
    return next((each for name in names for each in found if each.name == name and each.dtype in INTEGERS), None)


def ranking(signature: Signature) -> Ranking | None:
    """The first whole-number label or id (N, K) beside which there is a score of the same shape, and no boxes."""
    found = detections(signature)
    for label in signature.outputs:
        if label.kind in ("label", "id") and label.dtype in INTEGERS and len(label.shape) == 2:
            scores = [spec for spec in signature.outputs if spec.shape == label.shape and _is_score(spec)]
            if scores and not (found and label in (found.boxes, found.score, found.label)):
                return Ranking(label, scores[0])
    return None


def _is_score(spec: TensorSpec) -> bool:
    return spec.dtype.startswith("float") and not spec.labels


def detections(signature: Signature) -> Detections | None:
    """The first boxes for which there are a score and a label of as many detections."""
    for boxes in signature.outputs:
        if boxes.kind == "boxes" and len(boxes.shape) == 3 and boxes.shape[-1] == 4:
            beside = [spec for spec in signature.outputs if spec.shape == boxes.shape[:-1]]
            scores = [spec for spec in beside if spec.dtype.startswith("float")]
            labels = [spec for spec in beside if spec.kind == "label" and spec.dtype.startswith("int")]
            if scores and labels:
                return Detections(boxes, scores[0], labels[0])
    return None


def named(spec: TensorSpec, number: int) -> str:
    """A class by its name, or by its number if it has none."""
    return spec.labels[number] if 0 <= number < len(spec.labels) else str(number)


def all_named(spec: TensorSpec, numbers: Any) -> Any:
    """Nested lists of classes by their names."""
    return [all_named(spec, each) for each in numbers] if isinstance(numbers, list) else named(spec, numbers)


def is_mask(spec: TensorSpec) -> bool:
    """Whether an output has a number for each pixel, which an image can hold."""
    return is_classes(spec) or is_instances(spec) or is_map(spec)


def is_classes(spec: TensorSpec) -> bool:
    return _flat(spec, "uint8") and bool(spec.labels)


def is_instances(spec: TensorSpec) -> bool:
    return _flat(spec, "uint8") and not spec.labels


def is_map(spec: TensorSpec) -> bool:
    return _flat(spec, "float32") and spec.low is not None and spec.high is not None and spec.low < spec.high


def _flat(spec: TensorSpec, dtype: str) -> bool:
    return spec.kind == "mask" and spec.dtype == dtype and len(spec.shape) == 3


def answered(signature: Signature) -> Iterator[TensorSpec]:
    """The outputs that an answer in JSON has a field for: score and label are in that of their boxes, the scores of a
    ranking in that of its labels, and the times of a transcript in that of its letters. What a model remembers is in no
    answer unless it is asked for."""
    found, ranked, heard = detections(signature), ranking(signature), transcript(signature)
    inside = (*(found.names[1:] if found else ()), *((ranked.score.name,) if ranked else ()))
    if heard is not None:
        inside += () if heard.seconds is None else (heard.seconds.name,)
        inside += (f"{heard.letters.name}_length",)
    return (spec for spec in signature.outputs if spec.name not in inside and spec.kind != "state")


# -------------------------------------------------------------------------------------------------- for people


def colours(signature: Signature) -> dict[str, str]:
    """A colour such as "#d92626" for each class of boxes and masks, by its name: black for a background, and for others
    hues by the golden ratio, by which every new one falls into the widest gap."""
    found = detections(signature)
    specs = [*([found.label] if found else []), *filter(is_classes, signature.outputs)]
    names = list(dict.fromkeys(name for spec in specs for name in spec.labels))
    coloured = [name for name in names if name != BACKGROUND]
    table = {name: _colour(number) for number, name in enumerate(coloured)}
    return {name: "#{:02x}{:02x}{:02x}".format(*table.get(name, (0, 0, 0))) for name in names}


def _colour(number: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1.0, 0.85, (0.95, 0.75)[number % 2])
    return round(255 * red), round(255 * green), round(255 * blue)


def shares(spec: TensorSpec, classes: np.ndarray) -> dict[str, float]:
    """The part of all pixels (S, S) that each class has; what is no class counts as a pixel."""
    counts = np.bincount(classes.reshape(-1), minlength=len(spec.labels))
    return {name: float(counts[number] / classes.size) for number, name in enumerate(spec.labels)}


@dataclass(frozen=True)
class Painter:
    """Masks of one output as PNG files."""

    spec: TensorSpec
    colours: Mapping[str, str]

    def png(self, values: np.ndarray, box: Letterbox | None) -> bytes:
        """A mask (S, S), of the image's size if its letterbox `box` is known."""
        values = self._levels(values) if is_map(self.spec) else values
        picture = Image.fromarray(values if box is None else box.map_back(values))
        if is_classes(self.spec):
            picture.putpalette(self._palette())  # the values stay the numbers of classes
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=1)
        return file.getvalue()

    def _levels(self, values: np.ndarray) -> np.ndarray:
        low, high = self.spec.low or 0.0, self.spec.high or 0.0
        return ((values - low) * (DEEP / (high - low))).round().clip(0, DEEP).astype(np.uint16)

    def _palette(self) -> list[int]:
        known = [int(self.colours[name][i : i + 2], 16) for name in self.spec.labels for i in (1, 3, 5)]
        return known + list(OTHER) * (256 - len(self.spec.labels))

    def written(self, values: np.ndarray, box: Letterbox | None) -> dict[str, Any]:
        """A mask (S, S) for JSON."""
        answer: dict[str, Any] = {"png": base64.b64encode(self.png(values, box)).decode("ascii")}
        if is_classes(self.spec):
            answer["shares"] = shares(self.spec, values if box is None else values[: box.inside[1], : box.inside[0]])
        if is_map(self.spec):
            answer |= {"low": self.spec.low, "high": self.spec.high}
        return answer


def only(values: np.ndarray, listed: list[dict[str, Any]]) -> np.ndarray:
    """A mask of detections (S, S) with none but those that are `listed`."""
    kept = [found["number"] for found in listed]
    return np.where(np.isin(values, kept), values, 0).astype(np.uint8)
