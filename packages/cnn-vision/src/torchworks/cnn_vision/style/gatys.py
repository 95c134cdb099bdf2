"""Style transfer by optimisation: the pixels themselves are what is learnt.

Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks" (CVPR).

The idea: a trained net describes content by its maps and style by the correlations between its channels, so look for
the image x whose maps are those of the photograph p and whose correlations are those of the painting a:

    L_total(x) = α L_content(p, x) + β L_style(a, x)                                                    eq. (7)

by L-BFGS on x. Slow, and the best that can be had: nets that answer in one pass imitate what this finds.

What differs from the paper: x is a sigmoid of what is optimised, which keeps it in [0, 1]; it starts as p in the
colours of a (their mean and spread) instead of noise, without which a weak feature net leaves the colours of p; the
distances are relative ones (see `losses.py`), and total variation can be held down.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from torchworks.cnn_vision.style.features import FeatureNet
from torchworks.cnn_vision.style.losses import content_loss, gram_loss, grams, recoloured, total_variation

FIRST = 0.01
"""How far the first step moves a pixel's logit on average. L-BFGS begins with a step of 1 over all unknowns
together: each of so many pixels would move so little that rounding hides the gain, and the line search stays there."""


def optimise(
    features: FeatureNet,
    content: Tensor,
    style: Tensor,
    *,
    steps: int = 60,
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
    start = recoloured(content, style).clamp(0.02, 0.98).logit()
    change = torch.zeros_like(start).requires_grad_()
    scale = FIRST * start.numel()
    optimizer = torch.optim.LBFGS(
        [change], max_iter=1, history_size=20, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        image = (start + scale * change).sigmoid()
        maps = features(image)
        loss = content_loss(list(maps.values())[-1], wanted) + style_weight * gram_loss(maps, style_grams)
        loss = (loss + smoothness * total_variation(image)).sum()
        loss.backward()
        return loss

    for step in range(steps):
        loss = optimizer.step(closure)
        report(step, loss.item())
    return (start + scale * change.detach()).sigmoid()
