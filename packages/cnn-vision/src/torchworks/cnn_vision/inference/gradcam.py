"""Grad-CAM: where in the image a class was seen.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization"
(arXiv:1610.02391). With A_k the k-th channel of a feature map and y_c the logit of class c:

    α_k = mean over places of ∂y_c / ∂A_k          (1)  how much the class likes the channel
    L   = ReLU(Σ_k α_k A_k)                        (2)  where the liked channels are active

What differs: the paper takes the last map. Of a small image that map may be a single place, so this takes the last one
that still has `LEAST` places along each side. A ViT's classifier reads no map, but its last attention does: see
`VisionTransformer.forward_traceable`.

Shape letters: N images, C channels, H height, W width, h × w the map's size.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.shared.config import UserError
from torchworks.shared.inference.files import CHUNK
from torchworks.shared.inference.predictor import ImagePredictor
from torchworks.shared.runs.opening import FinishedRun

LEAST = 4


def grad_cam(net: Backbone, images: Tensor, classes: Tensor) -> Tensor:
    """Heat (N, H, W) in [0, 1] for the class of each image, `classes` int64 (N,); all 0 where nothing speaks for it.

    `images` (N, C, H, W) are normalized as the net expects them. Raises `UserError` for a net whose classifier does not
    read its feature map.
    """
    with torch.enable_grad():
        try:
            maps, logits = net.forward_traceable(images)
        except ValueError as error:
            raise UserError(
                f"Grad-CAM follows a class back to a feature map, which this net does not allow: {error}"
            ) from error
        large = [level for level in maps if min(level.shape[2:]) >= LEAST]
        chosen = large[-1] if large else maps[0]
        (slope,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), chosen)
    weights = slope.mean((2, 3), keepdim=True)  # α: (N, C, 1, 1)
    heat = (weights * chosen.detach()).sum(1, keepdim=True).relu()  # L: (N, 1, h, w)
    heat = F.interpolate(heat, images.shape[2:], mode="bilinear")[:, 0]
    return heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-12)


def heat_of(run: FinishedRun, images: Tensor, classes: Tensor) -> Tensor:
    """Grad-CAM (N, S, S) on the CPU, of images uint8 (N, C, S, S) for the class or label of each, `classes` (N,)."""
    predictor = run.predictor
    assert isinstance(predictor, ImagePredictor)
    assert isinstance(predictor.net, Backbone)
    parts = [
        grad_cam(predictor.net, predictor.normalized(part.to(run.device)), places.to(run.device)).cpu()
        for part, places in zip(images.split(CHUNK), classes.split(CHUNK), strict=True)
    ]
    return torch.cat(parts)
