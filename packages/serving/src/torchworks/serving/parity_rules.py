"""Whether one model answers as another does, by a rule that suits what is answered. Imports no torch.

    for found in compare(signature, wanted, outputs, tolerance=1e-4):
        print(found.output, found.share, found.same)

Numbers may differ by `tolerance`, absolute plus relative. A class, a pixel's class and a box can flip where two values
nearly tie, whatever the precision, so of these a share must be the same: all but `MISSED`, or but `tolerance` if that
is more, or but a single one.

A detection is the same if the other model has one of the same label whose score differs within `tolerance` and whose
corners lie within `PIXELS`, or within 100 · `tolerance` pixels if that is more; each may serve for one only. In masks
of detections, numbers are compared after those of the same detections were made equal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from torchworks.serving import output_kinds
from torchworks.shared.models.signature import Signature, TensorSpec

MISSED = 0.001
PIXELS = 0.01
Outputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class OutputParity:
    """Of one output, which for detections is that of their boxes. `share` is the part of its `count` detections, pixels
    or classes that are the same, None for numbers; `largest` and `mean` are differences of numbers, and of those of the
    same detections; NaN stays NaN."""

    output: str
    same: bool
    largest: float = 0.0
    mean: float = 0.0
    share: float | None = None
    count: int = 0
    what: str = ""


def compare(signature: Signature, wanted: Outputs, found: Outputs, tolerance: float) -> Iterator[OutputParity]:
    """How `found` compares with `wanted`, arrays of one shape, output by output."""
    detected = output_kinds.detections(signature)
    pairs = _matched(detected, wanted, found, tolerance) if detected else []
    for spec in signature.outputs:
        a, b = wanted[spec.name], found[spec.name]
        if detected and spec == detected.boxes:
            yield _detections(detected, pairs, wanted, found, tolerance)
        elif detected and spec.name in detected.names:
            continue
        elif output_kinds.is_instances(spec) and detected:
            yield _shared(spec.name, "pixels", a == _renumbered(b, pairs), tolerance)
        elif np.issubdtype(a.dtype, np.integer):
            yield _shared(spec.name, "pixels" if spec.kind == "mask" else "values", a == b, tolerance)
        else:
            yield _numbers(spec, a, b, tolerance)


def _numbers(spec: TensorSpec, wanted: np.ndarray, found: np.ndarray, tolerance: float) -> OutputParity:
    difference = np.abs(found.astype(np.float64) - wanted)
    same = np.allclose(found, wanted, rtol=tolerance, atol=tolerance)  # never true of NaN
    return OutputParity(spec.name, same, float(difference.max()), float(difference.mean()))


def _shared(output: str, what: str, equal: np.ndarray, tolerance: float) -> OutputParity:
    missed = int(equal.size - equal.sum())
    return OutputParity(
        output, _few(missed, equal.size, tolerance), share=float(equal.mean()), count=equal.size, what=what
    )


def _few(missed: int, count: int, tolerance: float) -> bool:
    return missed <= max(1, max(MISSED, tolerance) * count)


# -------------------------------------------------------------------------------------------------- detections


@dataclass(frozen=True)
class Pairs:
    """Of one image: rows (P,) of both sides that are the same detection, and how many detections each side has."""

    wanted: np.ndarray
    found: np.ndarray
    counts: tuple[int, int]


def _matched(spec: output_kinds.Detections, wanted: Outputs, found: Outputs, tolerance: float) -> list[Pairs]:
    images = range(len(wanted[spec.boxes.name]))
    return [_pairs(spec.rows(wanted, i), spec.rows(found, i), tolerance) for i in images]


def _pairs(wanted: tuple[np.ndarray, ...], found: tuple[np.ndarray, ...], tolerance: float) -> Pairs:
    rows, boxes, score, label = wanted
    others, their_boxes, their_score, their_label = found
    fits = label[:, None] == their_label
    fits &= np.abs(score[:, None] - their_score) <= tolerance * (1 + np.abs(score[:, None]))
    fits &= np.abs(boxes[:, None] - their_boxes).max(-1, initial=0) <= max(PIXELS, 100 * tolerance)
    chosen: list[tuple[int, int]] = []
    for i in range(len(rows)):
        if len(mine := np.flatnonzero(fits[i])):
            chosen.append((i, int(mine[0])))
            fits[:, mine[0]] = False
    a, b = np.array(chosen, int).reshape(-1, 2).T
    return Pairs(rows[a], others[b], (len(rows), len(others)))


def _detections(
    spec: output_kinds.Detections, pairs: list[Pairs], wanted: Outputs, found: Outputs, tolerance: float
) -> OutputParity:
    count, matched = sum(max(pair.counts) for pair in pairs), sum(len(pair.wanted) for pair in pairs)
    differences = [
        np.abs(found[name][i, pair.found] - wanted[name][i, pair.wanted]).reshape(-1)
        for name in spec.names[:2]
        for i, pair in enumerate(pairs)
    ]
    all_ = np.concatenate(differences) if matched else np.zeros(1)
    return OutputParity(
        spec.boxes.name,
        _few(count - matched, count, tolerance),
        float(all_.max()),
        float(all_.mean()),
        matched / count if count else 1.0,
        count,
        "detections",
    )


def _renumbered(masks: np.ndarray, pairs: list[Pairs]) -> np.ndarray:
    """Masks (N, S, S) of the found detections with the numbers of the wanted ones; 256 for others."""
    made = np.empty(masks.shape, np.int64)
    for i, pair in enumerate(pairs):
        table = np.full(257, 256)
        table[0] = 0
        table[np.minimum(pair.found + 1, 256)] = pair.wanted + 1
        made[i] = table[masks[i]]
    return made
