"""What a detector is compared with: chance, and logistic regression on the spectrum of an image.

Durall, Keuper, Pfreundt & Keuper 2019, "Unmasking DeepFakes with simple Features" (arXiv:1911.00686): the logarithm of
the power spectrum of the grey image, averaged around circles of each frequency, tells most generated images from
photographs. Images of nets lack high frequencies, or have too much of some.

Shape letters: N images, S pixels a side, R = S/2 circles.
"""

import torch
from torch import Tensor

from torchworks.gans.detecting.data import GROUPS
from torchworks.gans.detecting.metrics import FALSE_ALARMS, Curve, curve
from torchworks.shared.data import TensorDataset

_LEAST = 1e-8


def spectrum(images: Tensor) -> Tensor:
    """Log power of images uint8 (N, 3, S, S) around each circle, (N, R)."""
    grey = images.float().mean(1) / 255
    size = grey.shape[-1]
    power = torch.fft.fft2(grey - grey.mean((1, 2), keepdim=True)).abs().square()
    at = torch.fft.fftfreq(size) * size
    circle = torch.hypot(at[:, None], at).round().long().clamp(max=size // 2 - 1).flatten()
    sums = torch.zeros(len(grey), size // 2).index_add_(1, circle, power.flatten(1))
    return (sums / circle.bincount(minlength=size // 2) + _LEAST).log()


def baselines(train: TensorDataset, test: TensorDataset) -> tuple[dict[str, float], dict[str, Curve]]:
    """`auroc_baseline` and the like of the regression and `auroc_chance`; and the regression's curves by group."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    fitted.fit(spectrum(train.tensors["image"]).numpy(), train.tensors["label"].numpy())
    scores = torch.from_numpy(fitted.decision_function(spectrum(test.tensors["image"]).numpy()))
    label, group = test.tensors["label"], test.tensors["group"]
    curves = {name: curve(scores[group == i], label[group == i]) for i, name in enumerate(GROUPS)}
    found = {}
    for name, each in curves.items():
        found[f"auroc{name}_baseline"] = each.area
        found[f"caught{name}_baseline"] = each.at(FALSE_ALARMS)
    return found | {"auroc_chance": 0.5, "caught_chance": FALSE_ALARMS}, curves
