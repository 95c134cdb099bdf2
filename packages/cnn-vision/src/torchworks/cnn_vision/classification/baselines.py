"""What a net must beat: logistic regression on the pixels; of classes also the commonest one at all times, of findings
also logistic regression on the colours.

Shape letters: N images, C channels, D pixels, K classes or findings.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.cnn_vision.classification.metrics import findings_scores
from torchworks.cnn_vision.multilabel.task import targets
from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, Part, Source, open_loader

BATCH = 256
MOST_IMAGES = 20_000
"""Training images that the regression sees."""
MOST_PIXELS = 16
"""Side to which larger images are reduced for it."""
MOST_COLOURED = 64
"""Side of the grid of pixels whose colours the regression on colours sees."""
QUANTILES = torch.tensor([0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0])


def logistic_regression(train: Dataset, test: Dataset) -> dict[str, float]:
    """Accuracy on `test` of scikit-learn's `LogisticRegression` with its defaults on the pixels in [-1, 1], and of the
    commonest class."""
    from sklearn.linear_model import LogisticRegression

    (x, labels), (x_test, labels_test) = _table(_some(train)), _table(test)
    fitted = LogisticRegression(max_iter=1000).fit(x.numpy(), labels.numpy())
    commonest = labels.mode().values
    return {
        "accuracy_baseline": float(fitted.score(x_test.numpy(), labels_test.numpy())),
        "accuracy_commonest_class": (labels_test == commonest).float().mean().item(),
    }


def _table(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Pixels (N, D) and labels (N,)."""
    rows, labels = [], []
    for batch in open_loader(dataset, LoaderConfig(), BATCH, train=False):
        rows.append(_pixels(batch["image"]))
        labels.append(batch["label"])
    return torch.cat(rows), torch.cat(labels)


def _some(train: Dataset) -> Part:
    """`MOST_IMAGES` at most, from all over the training images."""
    return Part(train, range(0, len(train), -(-len(train) // MOST_IMAGES)))


def _pixels(images: Tensor) -> Tensor:
    """(N, C, S, S) to (N, D)."""
    side = min(MOST_PIXELS, images.shape[-1])
    return F.interpolate(images, (side, side), mode="area").flatten(1)


# ---- findings --------------------------------------------------------------------------------------------


def logistic_regressions(source: Source, places: Tensor) -> dict[str, float]:
    """Test scores of scikit-learn's `LogisticRegression` with balanced weights, one for each finding: on the pixels of
    images reduced to 16 pixels (`_baseline`), and on how colours are spread over the image (`_colour_baseline`); and
    what chance reaches."""
    (pixels, colours, target), (test_pixels, test_colours, test_target) = (
        _findings_table(part, places) for part in (_some(source.train), source.test)
    )
    from_pixels = _regression(pixels, target, test_pixels, test_target)
    mean, std = colours.mean(0), colours.std(0).clamp(min=1e-6)
    from_colours = _regression((colours - mean) / std, target, (test_colours - mean) / std, test_target)
    return {
        "auroc_baseline": from_pixels["auroc"],
        "auroc_colour_baseline": from_colours["auroc"],
        "auroc_chance": 0.5,
        "average_precision_baseline": from_pixels["average_precision"],
        "average_precision_colour_baseline": from_colours["average_precision"],
        "average_precision_chance": test_target.mean().item(),
    }


def _regression(x: Tensor, target: Tensor, test_x: Tensor, test_target: Tensor) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000, class_weight="balanced")
    answers = [model.fit(x.numpy(), column).predict_proba(test_x.numpy())[:, 1] for column in target.T.numpy()]
    return findings_scores(torch.stack([torch.from_numpy(answer) for answer in answers], 1), test_target.long())


def _findings_table(dataset: Dataset, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels (N, D), colours (N, 10 C) and targets (N, K). Colours are nine quantiles of each channel, relative to its
    median, and that median."""
    pixels, colours, labels = [], [], []
    for batch in open_loader(dataset, LoaderConfig(), BATCH, train=False):
        images = batch["image"]
        pixels.append(_pixels(images))
        step = -(-images.shape[-1] // MOST_COLOURED)
        quantiles = images[..., ::step, ::step].flatten(2).quantile(QUANTILES, dim=2).permute(1, 2, 0)  # (N, C, 9)
        median = quantiles[:, :, 4:5]
        colours.append(torch.cat([quantiles - median, median], 2).flatten(1))
        labels.append(targets(batch["label"], places))
    return torch.cat(pixels), torch.cat(colours), torch.cat(labels)
