"""What names actions without a net for films, and what a net is worth that sees a part of them.

Shape letters: N films, T frames, C channels, S pixels along a frame, F features, K classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.hybrid_multimodal.actions.task import probabilities
from torchworks.shared.data import TensorDataset

SIDE = 32
"""Pixels along a frame as baselines see it."""
LEARNED = 6000
"""Films that baselines learn from at most, the first ones."""
STEPS, BATCH = 150, 64
"""Of the net that sees one frame."""


def accuracy_of(labels: Tensor, said: Tensor) -> float:
    return (labels == said).double().mean().item()


def baselines(train: TensorDataset, test: TensorDataset, seed: int = 0) -> dict[str, float]:
    """`accuracy_majority`, the most frequent class; `accuracy_difference`, logistic regression on the last frame minus
    the first; `accuracy_moments`, boosted trees on where and how large what differs from the film's mean is, in each
    frame; `accuracy_trained_on_one_frame`, a convolutional net that sees the frame in the middle."""
    labels, true = train.tensors["label"][:LEARNED], test.tensors["label"]
    clips = [grey(dataset.tensors["clip"][:LEARNED]) for dataset in (train, test)]
    most = int(torch.bincount(labels).argmax())
    return {
        "accuracy_majority": accuracy_of(true, torch.full_like(true, most)),
        "accuracy_difference": accuracy_of(true, _by_difference(clips[0], labels, clips[1])),
        "accuracy_moments": accuracy_of(true, _by_moments(clips[0], labels, clips[1], seed)),
        "accuracy_trained_on_one_frame": accuracy_of(true, _by_one_frame(clips[0], labels, clips[1], seed)),
    }


def grey(clips: Tensor) -> Tensor:
    """Films uint8 (N, T, C, S, S) in grey and small, float32 (N, T, s, s) in [0, 1]."""
    mean = torch.cat([part.float().mean(2) / 255 for part in clips.split(500)])
    side = min(SIDE, mean.shape[-1])
    return mean if side == mean.shape[-1] else F.interpolate(mean, (side, side), mode="area")


def _by_difference(clips: Tensor, labels: Tensor, test: Tensor) -> Tensor:
    from sklearn.linear_model import LogisticRegression

    x, y = (F.avg_pool2d(each[:, -1] - each[:, 0], 2).flatten(1).numpy() for each in (clips, test))
    if len(labels.unique()) < 2:
        return labels[:1].expand(len(test))
    return torch.from_numpy(LogisticRegression(max_iter=300).fit(x, labels.numpy()).predict(y))


def moments(clips: Tensor) -> Tensor:
    """Of films (N, T, s, s), in each frame: how much differs from the mean of the film's frames, the mean place of
    that, and its spread, (N, 6 T)."""
    weight = (clips - clips.mean(1, keepdim=True)).abs()
    mass = weight.sum((2, 3)).clamp(min=1e-6)
    along = torch.linspace(-1, 1, clips.shape[-1])
    x, y = (weight.sum(2) * along).sum(2) / mass, (weight.sum(3) * along).sum(2) / mass
    xx, yy = ((weight.sum(dim) * along.square()).sum(2) / mass for dim in (2, 3))
    xy = torch.einsum("nthw,h,w->nt", weight, along, along) / mass
    return torch.cat([mass, x, y, xx - x * x, yy - y * y, xy - x * y], 1)


def _by_moments(clips: Tensor, labels: Tensor, test: Tensor, seed: int) -> Tensor:
    from sklearn.ensemble import HistGradientBoostingClassifier

    if len(labels.unique()) < 2:
        return labels[:1].expand(len(test))
    model = HistGradientBoostingClassifier(max_iter=60, early_stopping=False, random_state=seed)
    model.fit(moments(clips).numpy(), labels.numpy())
    return torch.from_numpy(model.predict(moments(test).numpy()))


def _by_one_frame(clips: Tensor, labels: Tensor, test: Tensor, seed: int) -> Tensor:
    frame, seen = (each[:, each.shape[1] // 2, None] * 2 - 1 for each in (clips, test))  # (N, 1, s, s)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _frame_net(int(labels.max()) + 1)
    optimizer = torch.optim.AdamW(net.parameters(), 4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=STEPS)
    for _ in range(STEPS):
        rows = torch.randint(0, len(frame), (BATCH,), generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(net(frame[rows]), labels[rows]).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return torch.cat([net.eval()(part).argmax(1) for part in seen.split(BATCH)])


def _frame_net(classes: int, widths: Sequence[int] = (16, 32, 64)) -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 1
    for width in widths:
        layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


# ------------------------------------------------------------------------------------- what a net makes of films


def changed(clips: Tensor) -> dict[str, Tensor]:
    """Films uint8 (N, T, C, S, S) of which a part is taken away: `one_frame`, the frame in the middle, at all times;
    `shuffled`, the frames in an order drawn by chance for each film; `reversed`, the last frame first."""
    count, frames = clips.shape[:2]
    generator = torch.Generator().manual_seed(0)
    order = torch.rand(count, frames, generator=generator).argsort(1)
    return {
        "one_frame": clips[:, frames // 2, None].expand_as(clips),
        "shuffled": clips[torch.arange(count)[:, None], order],
        "reversed": clips.flip(1),
    }


def ablations(model: nn.Module, test: TensorDataset, device: torch.device) -> dict[str, float]:
    """The net's accuracy on the films of `changed`, such as `accuracy_reversed`."""
    labels = test.tensors["label"]
    return {
        f"accuracy_{name}": accuracy_of(labels, probabilities(model, clips, device).argmax(1))
        for name, clips in changed(test.tensors["clip"]).items()
    }
