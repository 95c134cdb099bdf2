"""Neural style transfer: gradient descent on the pixels themselves.

Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks" (CVPR).

The idea: a trained net describes content by its maps and style by the correlations between its channels, so look for
the image x whose maps are those of the photograph p and whose correlations are those of the painting a:

    L_total(x) = α L_content(p, x) + β L_style(a, x)                                                    eq. (7)

by gradient descent on x. It is the slowest method and gives the best images; nets of one pass approximate it.

What differs from the paper: Adam instead of L-BFGS, whose line search comes to a stand after a few steps on these
losses; x is a sigmoid of the optimized variable, which keeps it in [0, 1]; it starts as p in the colors of a (their
mean and spread) instead of noise, without which a weak feature net leaves the colors of p; the distances are relative
(see `perceptual.py`); total variation is penalized.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from torchworks.cnn_vision.models.perceptual import content_loss, gram_loss, grams, recolored, total_variation
from torchworks.cnn_vision.models.vgg_features import FeatureNet

LR = 0.1
"""About how far a step moves a pixel's logit."""


def optimize(
    features: FeatureNet,
    content: Tensor,
    style: Tensor,
    *,
    steps: int = 150,
    style_weight: float = 10.0,
    smoothness: float = 2.0,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> Tensor:
    """An image (1, 3, H, W) in [0, 1] with the content of `content` (1, 3, H, W) in the style of `style`, of any size.

    `report` is called after each step with its number and the loss.
    """
    with torch.no_grad():
        wanted = list(features(content).values())[-1]
        style_grams = grams(features(style))
    logits = recolored(content, style).clamp(0.02, 0.98).logit().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=LR)
    for step in range(steps):
        image = logits.sigmoid()
        maps = features(image)
        loss = content_loss(list(maps.values())[-1], wanted) + style_weight * gram_loss(maps, style_grams)
        loss = (loss + smoothness * total_variation(image)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report(step, loss.item())
    return logits.detach().sigmoid()
