"""Baselines of a multi-label classifier: logistic regression on the pixels, and on the distribution of the colors.

Shape letters: N images, C channels, D pixels, K labels.
"""

import torch
from torch import Tensor

from torchworks.cnn_vision.multilabel.labels import targets
from torchworks.cnn_vision.multilabel.metrics import multilabel_scores
from torchworks.shared.classification.baselines import BATCH, pixels_of, some_of
from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, Source, open_loader

MOST_COLORED = 64
"""Side of the grid of pixels whose colors the regression on colors sees."""
QUANTILES = torch.tensor([0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0])


def logistic_regressions(source: Source, places: Tensor) -> dict[str, float]:
    """Test scores of scikit-learn's `LogisticRegression` with balanced weights, one for each label: on the pixels of
    images reduced to 16 pixels (`_baseline`), and on the distribution of the colors in the image (`_color_baseline`);
    and the scores of chance."""
    (pixels, colors, target), (test_pixels, test_colors, test_target) = (
        _table(part, places) for part in (some_of(source.train), source.test)
    )
    from_pixels = _regression(pixels, target, test_pixels, test_target)
    mean, std = colors.mean(0), colors.std(0).clamp(min=1e-6)
    from_colors = _regression((colors - mean) / std, target, (test_colors - mean) / std, test_target)
    return {
        "auroc_baseline": from_pixels["auroc"],
        "auroc_color_baseline": from_colors["auroc"],
        "auroc_chance": 0.5,
        "average_precision_baseline": from_pixels["average_precision"],
        "average_precision_color_baseline": from_colors["average_precision"],
        "average_precision_chance": test_target.mean().item(),
    }


def _regression(x: Tensor, target: Tensor, test_x: Tensor, test_target: Tensor) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000, class_weight="balanced")
    answers = [model.fit(x.numpy(), column).predict_proba(test_x.numpy())[:, 1] for column in target.T.numpy()]
    return multilabel_scores(torch.stack([torch.from_numpy(answer) for answer in answers], 1), test_target.long())


def _table(dataset: Dataset, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels (N, D), colors (N, 10 C) and targets (N, K). Colours are nine quantiles of each channel, relative to its
    median, and that median."""
    pixels, colors, labels = [], [], []
    for batch in open_loader(dataset, LoaderConfig(), BATCH, train=False):
        images = batch["image"]
        pixels.append(pixels_of(images))
        step = -(-images.shape[-1] // MOST_COLORED)
        quantiles = images[..., ::step, ::step].flatten(2).quantile(QUANTILES, dim=2).permute(1, 2, 0)  # (N, C, 9)
        median = quantiles[:, :, 4:5]
        colors.append(torch.cat([quantiles - median, median], 2).flatten(1))
        labels.append(targets(batch["label"], places))
    return torch.cat(pixels), torch.cat(colors), torch.cat(labels)
