"""What is noted of one request, and its answer in a few words."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from torchworks.serving import output_kinds
from torchworks.serving.monitoring.clock import steady
from torchworks.shared.models.signature import Signature, TensorSpec

ANSWER_ROWS, ANSWER_CLASSES, ANSWER_LENGTH = 3, 5, 200
"""How many rows an answer in short names, how many classes of things in one, and its length in characters at most."""


@dataclass(frozen=True)
class Prediction:
    """One request and what came of it. The arrays must not be changed afterwards: they are looked at later."""

    time: float
    """Seconds since 1970, for people and the log."""
    request_id: str
    model: str
    version: str
    alias: str
    """"champion", "challenger", "shadow" or ""."""
    route: str
    """predict, v2, session, job, generate or draw."""
    status: int
    """HTTP status."""
    rows: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    """Of the stages decode, queue, run and encode, and in total; of a generation, until the first_token."""
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    """As decoded; empty when the request was refused."""
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    moment: float = field(default_factory=steady)
    """By the steady clock, for what counts in windows of time."""
    trial: bool = False
    """Somebody tried the model, and says so: such rows say nothing of how those of the callers are spread."""
    said: str = ""
    """The answer in a few words, where the outputs do not tell it."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Of a generation: how many were in the "prompt" and how many were "generated"."""

    @property
    def answered(self) -> bool:
        return self.status < 400

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arrays hold."""
        return sum(array.nbytes for arrays in (self.inputs, self.outputs) for array in arrays.values())


def answer(signature: Signature, outputs: dict[str, np.ndarray]) -> str:
    """`outputs` for people, such as "7 (98 %), 1 (64 %)"; at most 200 characters, "" without outputs."""
    found, ranked = output_kinds.detections(signature), output_kinds.ranking(signature)
    texts = []
    for spec in output_kinds.answered(signature) if outputs else ():
        if found and spec.name == found.boxes.name:
            texts.append(_rows([_detected(found, outputs, i) for i in range(len(outputs[spec.name]))]))
        elif ranked and spec.name == ranked.label.name:
            texts.append(_rows([_ranked(ranked, outputs, i) for i in range(len(outputs[spec.name]))]))
        elif output_kinds.is_classes(spec):
            texts.append(_rows([_largest(spec, mask) for mask in outputs[spec.name]]))
        elif output_kinds.is_map(spec):
            texts.append(_rows([f"{spec.name} up to {mask.max():.3g}" for mask in outputs[spec.name]]))
        else:
            texts.append(_tensor(spec, outputs[spec.name]))
    text = "; ".join(texts)
    return text if len(text) <= ANSWER_LENGTH else text[: ANSWER_LENGTH - 1] + "…"


def _ranked(ranked: output_kinds.Ranking, outputs: dict[str, np.ndarray], row: int) -> str:
    """The first classes of a row."""
    listed = ranked.listed(outputs, row)
    return " ".join(each["label"] for each in listed[:ANSWER_CLASSES])


def _tensor(spec: TensorSpec, values: np.ndarray) -> str:
    if spec.labels and spec.kind == "label" and spec.dtype in output_kinds.INTEGERS and values.ndim == 2:
        return _rows([" ".join(output_kinds.all_named(spec, row[:ANSWER_CLASSES].tolist())) for row in values])
    if spec.labels and spec.kind in ("label", "probabilities") and 1 <= values.ndim <= 2:
        return _rows([_row(spec, row) for row in values])
    if spec.kind == "features" and (values.ndim == 1 or (values.ndim == 2 and values.shape[1] <= ANSWER_CLASSES)):
        return f"{spec.name} {_rows([' '.join(f'{number:.3g}' for number in np.atleast_1d(row)) for row in values])}"
    return f"{spec.name} {'×'.join(map(str, values.shape))}"


def _rows(rows: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = [f"{len(rows) - ANSWER_ROWS} more"] if len(rows) > ANSWER_ROWS else []
    return ", ".join(rows[:ANSWER_ROWS] + more)


def _detected(found: output_kinds.Detections, outputs: dict[str, np.ndarray], image: int) -> str:
    """The classes of things of a score of at least ½ in an image, the commonest first, with how many there are."""
    _, _, score, label = found.rows(outputs, image)
    counts = Counter(output_kinds.named(found.label, int(number)) for number in label[score >= output_kinds.SURE])
    named = [f"{name} ({count})" for name, count in counts.most_common(ANSWER_CLASSES)]
    others = len(counts) - len(named)
    return " ".join([*named, f"and {others} other classes"] if others else named) or "nothing"


def _largest(spec: TensorSpec, mask: np.ndarray) -> str:
    """The three classes with most of the pixels."""
    parts = sorted(output_kinds.shares(spec, mask).items(), key=lambda part: -part[1])
    return " ".join(f"{name} ({share:.0%})".replace("%", " %") for name, share in parts[:3] if share)


def _row(spec: TensorSpec, row: np.ndarray) -> str:
    """A class number, the probabilities of classes, or the three likeliest of the findings."""
    if row.ndim == 0:
        return spec.labels[int(row)] if 0 <= row < len(spec.labels) else str(row)
    named = 1 if spec.kind == "label" else 3
    likeliest = np.argsort(-row, kind="stable")[:named]
    return " ".join(f"{spec.labels[i]} ({row[i]:.0%})".replace("%", " %") for i in likeliest)
