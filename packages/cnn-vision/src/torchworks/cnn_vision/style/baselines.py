"""Baselines of style transfer: the photographs as they are, and with the mean and spread of the style's colors.

Shape letters: N images, S pixels, H × W pixels.
"""

import torch
from torch import Tensor

from torchworks.cnn_vision.models.perceptual import recolored, statistics_loss
from torchworks.cnn_vision.models.vgg_features import FeatureNet
from torchworks.cnn_vision.style.task import FastStyle


@torch.no_grad()
def of_one_style(task: FastStyle, images: Tensor, style: Tensor) -> dict[str, float]:
    """Losses of `images` (N, 3, S, S) for the style (1, 3, H, W) of `task`, both in [0, 1]."""
    (_, unchanged), (content, recolor) = (task.distances(x, images) for x in (images, recolored(images, style)))
    return {
        "style_loss_unchanged": float(unchanged.mean()),
        "style_loss_recolored": float(recolor.mean()),
        "content_loss_recolored": float(content.mean()),
        "total_loss_unchanged": task.style_weight * float(unchanged.mean()),
        "total_loss_recolored": float((content + task.style_weight * recolor).mean()),
    }


@torch.no_grad()
def of_any_style(encoder: FeatureNet, images: Tensor, styles: Tensor) -> dict[str, float]:
    """Style losses of `images` for as many `styles`, (N, 3, S, S) each, in [0, 1]."""
    wanted = encoder(styles)
    unchanged, recolor = (statistics_loss(encoder(x), wanted) for x in (images, recolored(images, styles)))
    return {"style_loss_unchanged": float(unchanged.mean()), "style_loss_recolored": float(recolor.mean())}
