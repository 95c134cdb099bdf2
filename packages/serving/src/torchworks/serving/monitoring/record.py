"""What is noted of one request, and its answer in a few words."""

from dataclasses import dataclass, field

import numpy as np

from torchworks.shared.signature import Signature, TensorSpec

ANSWER_ROWS, ANSWER_LENGTH = 3, 200
"""How many rows an answer in short names, and its length in characters at most."""


@dataclass(frozen=True)
class Prediction:
    """One request and what came of it. The arrays must not be changed afterwards: they are looked at later."""

    time: float
    """Seconds since 1970."""
    request_id: str
    model: str
    version: str
    alias: str
    """"champion", "challenger", "shadow" or ""."""
    route: str
    """"predict", "v2" or "job"."""
    status: int
    """HTTP status."""
    rows: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    """Of the stages decode, queue, run and encode, and in total."""
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    """As decoded; empty when the request was refused."""
    outputs: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        return self.status < 400

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arrays hold."""
        return sum(array.nbytes for arrays in (self.inputs, self.outputs) for array in arrays.values())


def answer(signature: Signature, outputs: dict[str, np.ndarray]) -> str:
    """`outputs` for people, such as "7 (98 %), 1 (64 %)"; at most 200 characters, "" without outputs."""
    texts = [_tensor(spec, outputs[spec.name]) for spec in signature.outputs if spec.name in outputs]
    text = "; ".join(texts)
    return text if len(text) <= ANSWER_LENGTH else text[: ANSWER_LENGTH - 1] + "…"


def _tensor(spec: TensorSpec, values: np.ndarray) -> str:
    if spec.labels and spec.kind in ("label", "probabilities") and 1 <= values.ndim <= 2:
        rows = [_row(spec, row) for row in values[:ANSWER_ROWS]]
        more = [f"{len(values) - ANSWER_ROWS} more"] if len(values) > ANSWER_ROWS else []
        return ", ".join(rows + more)
    return f"{spec.name} {'×'.join(map(str, values.shape))}"


def _row(spec: TensorSpec, row: np.ndarray) -> str:
    """A class number, the probabilities of classes, or the three likeliest of the findings."""
    if row.ndim == 0:
        return spec.labels[int(row)] if 0 <= row < len(spec.labels) else str(row)
    named = 1 if spec.kind == "label" else 3
    likeliest = np.argsort(-row, kind="stable")[:named]
    return " ".join(f"{spec.labels[i]} ({row[i]:.0%})".replace("%", " %") for i in likeliest)
