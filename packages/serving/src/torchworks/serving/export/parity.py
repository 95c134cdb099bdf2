"""How near an exported model is to the one that was trained: by its outputs, and by a score."""

from dataclasses import dataclass, field

import numpy as np
import torch

from torchworks.serving import output_kinds
from torchworks.serving.engine import Engine
from torchworks.serving.export.trained import Arrays, Samples
from torchworks.serving.parity_rules import compare
from torchworks.shared.classification.ranking import auroc
from torchworks.shared.models.signature import Signature, TensorSpec

BATCH = 32


@dataclass(frozen=True)
class Closeness:
    """Differences between two models' outputs. `agreement` is the share of samples whose likeliest class is the same,
    of findings that are on the same side of ½, or the least of `shares`; None for images. `shares` are those of
    detections and pixels that are the same (see `parity_rules.py`), by the output's name."""

    largest: float
    mean: float
    agreement: float | None
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """`value` of a model; `better` is 1 where more is better, −1 where less is. `in_units`: in those of what is
    predicted, whatever these are."""

    name: str
    value: float
    better: int
    in_units: bool = False

    def loss_of(self, other: "Score") -> float:
        """How much worse `other` is; negative if it is better."""
        return self.better * (self.value - other.value)


def outputs_of(engine: Engine, samples: Samples) -> Arrays:
    """What the model gives for all samples."""
    parts = [engine.run(batch) for batch in samples.batches(BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def closeness(signature: Signature, wanted: Arrays, found: Arrays, tolerance: float = 1e-4) -> Closeness:
    """Of `found` to `wanted`, over all outputs; `tolerance` says which detections are the same."""
    compared = list(compare(signature, wanted, found, tolerance))
    shares = {each.output: each.share for each in compared if each.share is not None}
    agreements = [_agreement(spec, wanted[spec.name], found[spec.name]) for spec in signature.outputs]
    known = [agreement for agreement in agreements if agreement is not None] + list(shares.values())
    return Closeness(
        max(each.largest for each in compared),
        float(np.mean([each.mean for each in compared])),
        min(known) if known else None,
        shares,
    )


def _agreement(spec: TensorSpec, wanted: np.ndarray, found: np.ndarray) -> float | None:
    if spec.kind == "label" and not np.issubdtype(wanted.dtype, np.integer):
        return float((_classes(wanted) == _classes(found)).mean())
    if spec.kind == "probabilities":
        return float(((wanted >= 0.5) == (found >= 0.5)).mean())
    return None


def _classes(outputs: np.ndarray) -> np.ndarray:
    """(N,) of probabilities (N, K), or of classes (N,)."""
    return outputs if outputs.ndim == 1 else outputs.argmax(1)


def score_of(signature: Signature, outputs: Arrays, samples: Samples, trained: Arrays) -> Score:
    """Accuracy where the samples have classes, mean ROC-AUC where they have sets of labels, mean IoU where they have
    classes of pixels, the share of rows that are right in all of them where they have whole numbers such as places in a
    text, mean absolute error where they have images (of values in [0, 1]).

    Without such targets, and of models that detect, how near it comes to the `trained` model, for which that is the
    best: F1 of its detections, mean IoU with its masks, the lower of both where there are both, else the mean absolute
    difference."""
    detected = output_kinds.detections(signature)
    whole = [spec for spec in signature.outputs if spec.name in samples.targets and _is_whole(spec)]
    if whole:
        right = [outputs[spec.name] == samples.targets[spec.name] for spec in whole]
        share = np.all([each.reshape(len(each), -1).all(1) for each in right], 0).mean()
        return Score(f"{' and '.join(spec.name for spec in whole)} right", float(share), 1)
    for spec in () if detected else signature.outputs:
        if spec.name not in samples.targets or (spec.kind == "mask" and not output_kinds.is_classes(spec)):
            continue
        if spec.kind == "probabilities" and samples.targets[spec.name].ndim != outputs[spec.name].ndim:
            continue  # class numbers, which the recipe medical once kept where sets of labels belong
        return _judged(spec, torch.from_numpy(outputs[spec.name]), torch.from_numpy(samples.targets[spec.name]))
    seen = {"F1 with the trained model's detections": detection_f1(detected, trained, outputs)} if detected else {}
    for spec in filter(output_kinds.is_classes, signature.outputs):
        seen["mean IoU with the trained model's masks"] = mean_iou(
            trained[spec.name], outputs[spec.name], len(spec.labels)
        )
    if seen:
        name = next(iter(seen)) if len(seen) == 1 else "likeness to the trained model"
        return Score(name, min(seen.values()), 1)
    mean = closeness(signature, trained, outputs).mean
    return Score("mean difference from the trained model", mean, -1)


def _is_whole(spec: TensorSpec) -> bool:
    """Whether it is whole numbers that are no class."""
    return spec.kind in ("features", "tokens") and spec.dtype in output_kinds.INTEGERS


def mean_iou(wanted: np.ndarray, found: np.ndarray, classes: int) -> float:
    """Over the classes that are there; pixels that are no class in `wanted` do not count."""
    known = wanted < classes
    a, b = wanted[known].astype(np.int64), found[known].astype(np.int64)
    both, mine, theirs = (np.bincount(v, minlength=256)[:classes] for v in (a[a == b], a, b))
    either = mine + theirs - both
    return float((both[either > 0] / either[either > 0]).mean()) if either.any() else 1.0


def detection_f1(spec: output_kinds.Detections, wanted: Arrays, found: Arrays) -> float:
    """`found` detections count if they have the label of a wanted one, each for one, and an IoU with it of at least ½.
    Only those with a score of at least ½ are looked at, or all where none has."""
    least = (
        output_kinds.SURE
        if max(arrays[spec.score.name].max() for arrays in (wanted, found)) >= output_kinds.SURE
        else 0.0
    )
    hits = count = 0
    for i in range(len(wanted[spec.boxes.name])):
        mine, theirs = (_sure(spec.rows(arrays, i), least) for arrays in (wanted, found))
        fits = (_iou(mine[0], theirs[0]) >= 0.5) & (mine[1][:, None] == theirs[1])
        hits += _served(fits)
        count += sum(fits.shape)
    return 2 * hits / count if count else 1.0


def _sure(rows: tuple[np.ndarray, ...], least: float) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and labels of the detections of at least a score."""
    _, boxes, score, label = rows
    return boxes[score >= least], label[score >= least]


def _iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(A, B) of boxes (A, 4) and (B, 4)."""
    corner, far = np.maximum(boxes[:, None, :2], others[:, :2]), np.minimum(boxes[:, None, 2:], others[:, 2:])
    both = (far - corner).clip(min=0).prod(-1)
    areas = [(b[:, 2:] - b[:, :2]).prod(-1) for b in (boxes, others)]
    return both / np.maximum(areas[0][:, None] + areas[1] - both, 1e-9)


def _served(fits: np.ndarray) -> int:
    """How many rows get a column of their own, each taking the first that is left."""
    hits = 0
    for row in fits:
        if len(free := np.flatnonzero(row)):
            fits[:, free[0]] = False
            hits += 1
    return hits


def _judged(spec: TensorSpec, found: torch.Tensor, target: torch.Tensor) -> Score:
    if output_kinds.is_classes(spec):
        return Score("mean IoU", mean_iou(target.numpy(), found.numpy(), len(spec.labels)), 1)
    if spec.kind == "label":
        predicted = found if found.ndim == target.ndim else found.argmax(1)
        return Score("accuracy", float((predicted == target).float().mean()), 1)
    if spec.kind == "probabilities":
        both = target.bool().any(0) & ~target.bool().all(0)  # the curve needs images with and without the finding
        areas = [auroc(found[:, k], target[:, k].bool()) for k in both.nonzero()[:, 0].tolist()]
        return Score("mean ROC-AUC", float(np.mean(areas)), 1)
    wanted = target.float() / 255 if target.dtype == torch.uint8 else target.float()
    return Score("mean absolute error", float((found - wanted).abs().mean()), -1, in_units=True)
