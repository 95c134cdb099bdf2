"""How near an exported model is to the one that was trained: by its outputs, and by a score."""

from dataclasses import dataclass

import numpy as np
import torch
from torchmetrics.functional import mean_absolute_error
from torchmetrics.functional.classification import multiclass_accuracy, multilabel_auroc

from torchworks.serving.engine import Engine
from torchworks.serving.export.trained import Arrays, Samples
from torchworks.shared.signature import Signature, TensorSpec

BATCH = 32


@dataclass(frozen=True)
class Closeness:
    """Differences between two models' outputs. `agreement` is the share of samples whose likeliest class is the same,
    or of findings that are on the same side of ½; None for images."""

    largest: float
    mean: float
    agreement: float | None


@dataclass(frozen=True)
class Score:
    """`value` of a model; `better` is 1 where more is better, −1 where less is."""

    name: str
    value: float
    better: int

    def loss_of(self, other: "Score") -> float:
        """How much worse `other` is; negative if it is better."""
        return self.better * (self.value - other.value)


def outputs_of(engine: Engine, samples: Samples) -> Arrays:
    """What the model gives for all samples."""
    parts = [engine.run(batch) for batch in samples.batches(BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def closeness(signature: Signature, wanted: Arrays, found: Arrays) -> Closeness:
    """Of `found` to `wanted`, over all outputs."""
    differences = [np.abs(found[s.name].astype(np.float64) - wanted[s.name]) for s in signature.outputs]
    agreements = [_agreement(spec, wanted[spec.name], found[spec.name]) for spec in signature.outputs]
    known = [agreement for agreement in agreements if agreement is not None]
    return Closeness(
        max(float(difference.max()) for difference in differences),
        float(np.mean([difference.mean() for difference in differences])),
        min(known) if known else None,
    )


def within(wanted: Arrays, found: Arrays, tolerance: float) -> bool:
    """Whether all outputs differ by at most `tolerance`, absolute plus relative; never true of NaN."""
    return all(np.allclose(found[name], value, rtol=tolerance, atol=tolerance) for name, value in wanted.items())


def _agreement(spec: TensorSpec, wanted: np.ndarray, found: np.ndarray) -> float | None:
    if spec.kind == "label":
        return float((_classes(wanted) == _classes(found)).mean())
    if spec.kind == "probabilities":
        return float(((wanted >= 0.5) == (found >= 0.5)).mean())
    return None


def _classes(outputs: np.ndarray) -> np.ndarray:
    """(N,) of probabilities (N, K), or of classes (N,)."""
    return outputs if outputs.ndim == 1 else outputs.argmax(1)


def score_of(signature: Signature, outputs: Arrays, samples: Samples, trained: Arrays) -> Score:
    """Accuracy where the samples have classes, mean ROC-AUC where they have sets of labels, mean absolute error where
    they have images (of values in [0, 1]). Without targets, the mean absolute difference from the outputs of the
    `trained` model, for which that is 0."""
    for spec in signature.outputs:
        if spec.name in samples.targets:
            return _judged(spec, torch.from_numpy(outputs[spec.name]), torch.from_numpy(samples.targets[spec.name]))
    mean = closeness(signature, trained, outputs).mean
    return Score("mean difference from the trained model", mean, -1)


def _judged(spec: TensorSpec, found: torch.Tensor, target: torch.Tensor) -> Score:
    if spec.kind == "label":
        value = multiclass_accuracy(found, target.long(), num_classes=max(2, len(spec.labels)), average="micro")
        return Score("accuracy", float(value), 1)
    if spec.kind == "probabilities":
        both = target.bool().any(0) & ~target.bool().all(0)  # the curve needs images with and without the finding
        values = multilabel_auroc(found[:, both], target[:, both].long(), num_labels=int(both.sum()), average="none")
        return Score("mean ROC-AUC", float(torch.as_tensor(values).mean()), 1)
    wanted = target.float() / 255 if target.dtype == torch.uint8 else target.float()
    return Score("mean absolute error", float(mean_absolute_error(found, wanted)), -1)
