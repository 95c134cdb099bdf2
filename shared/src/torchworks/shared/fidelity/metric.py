"""The scores of a set of generated images against real ones, as one metric."""

from itertools import islice

import torch
from torch import Tensor

from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Dataset, open_loader
from torchworks.shared.fidelity import distances
from torchworks.shared.fidelity.judge import FeatureSpace, features_of, reduce
from torchworks.shared.training.collecting import CollectingMetric

MOST_PAIRED = 5000
"""Rows of a side that the pairwise scores look at; their cost grows with the square."""


class Fidelity(CollectingMetric):
    """How close generated images are to real ones in `space`: a flat dict of numbers.

        fidelity = Fidelity(judge, reference=features_of(judge, source.train))
        fidelity.update(fake=images, label=labels)
        fidelity.compute()["fd_digits64"]

    `fd_…`            Fréchet distance, smaller is better. It falls with the number of images on both sides:
                      read it beside the `floor` and `n_fake`.
    `kd_…`            kernel distance, which does not depend on their number; at or just below 0 if nothing
                      tells the sets apart.
    `precision`, `recall`  shares of fakes that look real, and of reals that the fakes reach, over as many
                      images of one side as of the other.
    `classes_covered`  classes with at least 1/(4K) of the fakes, as the judge reads them, out of `classes_covered_of`.
    `class_entropy`   of the same histogram, from 0 (one class) to 1 (all K alike).
    `label_accuracy`  share of the fakes given with labels that the judge reads as what they should be.
    `n_real`, `n_fake`  numbers of images.

    Class scores are left out if `space` knows no classes. Images that are not finite give nan distances. The
    kernel distance, precision and recall use at most 5,000 images of a side, drawn without regard to order.
    `reference`, features (N, D), stands for real images that need not be given again at each evaluation.
    """

    collected = ("real", "fake", "predicted", "right")
    real: list[Tensor]
    fake: list[Tensor]
    predicted: list[Tensor]
    right: list[Tensor]

    def __init__(self, space: FeatureSpace, reference: Tensor | None = None):
        super().__init__()
        self.space, self._reference = space, reference

    @torch.no_grad()
    def update(self, real: Tensor | None = None, fake: Tensor | None = None, label: Tensor | None = None) -> None:
        """Add images (N, C, H, W) in [-1, 1]; `label`, int64 (N,), says what each of `fake` should show."""
        if real is not None:
            self.real.append(self.space.features(real))
        if fake is None:
            return
        features, logits = self.space(fake)
        self.fake.append(features)
        if logits is not None:
            self.predicted.append(logits.argmax(1))
            if label is not None:
                self.right.append((self.predicted[-1] == label).float())

    @torch.no_grad()
    def compute(self) -> dict[str, float]:
        """The scores; raises `UserError` if a side has fewer than 2 images."""
        real, fake = self._features()
        scores = {self.space.frechet_name: distances.frechet(*distances.moments(real), *distances.moments(fake))}
        scores[self.space.kernel_name] = distances.kernel_distance(_some(real), _some(fake))
        n = min(len(real), len(fake), MOST_PAIRED)
        scores["precision"], scores["recall"] = distances.precision_recall(_some(real, n), _some(fake, n))
        return scores | self._class_scores() | {"n_real": float(len(real)), "n_fake": float(len(fake))}

    def _features(self) -> tuple[Tensor, Tensor]:
        reference = None if self._reference is None else self._reference.to(self.device)
        real = [rows for rows in (reference, self.rows("real")) if rows is not None]
        fake = self.rows("fake")
        if not real or fake is None:
            raise UserError("Fidelity compares real with generated images, but there are none on one side.")
        return torch.cat(real), fake

    def _class_scores(self) -> dict[str, float]:
        predicted, right = self.rows("predicted"), self.rows("right")
        if predicted is None:
            return {}
        count = len(self.space.classes)
        scores = {
            "classes_covered": float(distances.classes_covered(predicted, count)),
            "classes_covered_of": float(count),
            "class_entropy": distances.class_entropy(predicted, count),
        }
        if right is not None:
            scores["label_accuracy"] = right.mean().item()
        return scores


def _some(features: Tensor, count: int = MOST_PAIRED) -> Tensor:
    """`count` rows drawn at random, always the same ones; all of them if there are no more."""
    if len(features) <= count:
        return features
    chosen = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))[:count]
    return features[chosen.to(features.device)]


def floor(space: FeatureSpace, train: Dataset, test: Dataset) -> dict[str, float]:
    """The same scores for the real `test` images against the real `train` images: what a perfect generator would
    get, were as many of its images compared. `label_accuracy` is then the judge's own.

    A stratified split has its kernel distance a little below 0, since the two parts are more alike than chance.
    """
    fidelity = _alone(space, train)
    for batch in open_loader(test, LoaderConfig(), 256, train=False, device=fidelity.device):
        fidelity.update(fake=batch["image"], label=batch.get("label"))
    return fidelity.compute()


def _alone(space: FeatureSpace, train: Dataset) -> Fidelity:
    """Scores against the `train` images that one process computes by itself, while others may not be there any more."""
    fidelity = Fidelity(space, reference=features_of(space, train))
    fidelity.sync_on_compute = False
    return fidelity.to(next(space.parameters()).device)


def gaussian(space: FeatureSpace, train: Dataset, test: Dataset, seed: int = 0) -> dict[str, float]:
    """The same scores for the simplest generator there is: as many images as `test` has, drawn from the normal
    distribution that has the mean and the covariance of the `train` images' pixels (of the first 5,000 of them, at the
    size at which judges look at them)."""
    fidelity = _alone(space, train)
    batches = islice(open_loader(train, LoaderConfig(), 256, train=False), -(-MOST_PAIRED // 256))
    images = torch.cat([reduce(batch["image"]) for batch in batches])[:MOST_PAIRED]
    mean, n = images.mean(dim=0), len(images)
    # a sum of the centred images, weighted at random, has their covariance
    spread = (images - mean).flatten(1) / n**0.5
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, len(test), 256):
        weights = torch.randn(min(256, len(test) - start), n, generator=generator)
        drawn = mean + (weights @ spread).view(-1, *mean.shape)
        fidelity.update(fake=drawn.clamp(-1, 1).to(fidelity.device))
    return fidelity.compute()
