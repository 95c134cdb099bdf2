"""Losses of masks: cross-entropy and soft Dice of every image.

Shape letters: N images, S pixels along a side, P of an image, G classes of pixels.
"""

import torch
from torch import Tensor

from torchworks.shared.data.boxes.sample import VOID
from torchworks.shared.training.full_precision import full_precision


@full_precision
def mask_losses(logits: Tensor, mask: Tensor, class_weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Of each image (N,): the cross-entropy, a weighted mean over the pixels of `mask` (N, S, S) that count, and soft
    Dice of `logits` (N, G, S, S) (Milletari, Navab & Ahmadi 2016, arXiv:1606.04797, section 3, with probabilities in
    the denominator as they are):

        1 − mean over the classes of the image of 2 Σ p t / (Σ p + Σ t)

    Classes that an image does not have are left to the cross-entropy: Dice would reward the last trace of them that
    goes as much as a whole object found, and with many classes nothing but background is then ever learnt.
    """
    mask, counts = mask.long().flatten(1), (mask != VOID).flatten(1).float()  # (N, P)
    truth = torch.where(counts > 0, mask, 0)
    log_p = logits.flatten(2).log_softmax(1)  # (N, G, P)
    right = log_p.gather(1, truth[:, None]).squeeze(1)  # (N, P)
    weights = counts if class_weights is None else counts * class_weights.to(mask.device)[truth]
    entropy = -(weights * right).sum(1) / weights.sum(1).clamp(min=1e-6)
    sums = (log_p.exp() @ counts[..., None]).squeeze(2)  # (N, G): of each class the probability, wherever it counts
    overlaps = torch.zeros_like(sums).scatter_add(1, truth, counts * right.exp())
    sizes = torch.zeros_like(sums).scatter_add(1, truth, counts)
    there = (sizes > 0).float()
    missed = there * (1 - 2 * overlaps / (sums + sizes).clamp(min=1e-6))
    return entropy, missed.sum(1) / there.sum(1).clamp(min=1)
