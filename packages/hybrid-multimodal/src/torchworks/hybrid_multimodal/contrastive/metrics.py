"""How well images and captions find each other, and whether a model reads more than a bag of words.

Shape letters: N images, M texts, D size of a vector, P prompts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.scene_captions import SWAPS, THINGS, Caption, parse_caption

AT_ONCE = 250
"""Images or texts that are computed together."""
Encode = Callable[[Sequence[str]], Tensor]
"""Texts → their vectors, (M, D)."""
PROMPTS = tuple(str(Caption((thing,))) for thing in THINGS)
"""The 60 captions of a single thing."""


@dataclass(frozen=True)
class Retrieval:
    """Of N images with M different captions: how often the best of all is right."""

    caption_recall_at_1: float
    """Images whose nearest caption is their own."""
    image_recall_at_1: float
    """Captions whose nearest image has that caption."""
    captions: int
    """M."""


def retrieval(images: Tensor, captions: Sequence[str], encode: Encode) -> Retrieval:
    """Of the vectors of images (N, D) and their captions."""
    different = list(dict.fromkeys(captions))
    likeness = images @ encode(different).T  # (N, M)
    number = {caption: i for i, caption in enumerate(different)}
    own = torch.tensor([number[caption] for caption in captions])
    by_image = (likeness.argmax(1) == own).double().mean().item()
    by_caption = (own[likeness.argmax(0)] == torch.arange(len(different))).double().mean().item()
    return Retrieval(by_image, by_caption, len(different))


def zero_shot_accuracy(images: Tensor, captions: Sequence[str], encode: Encode) -> float:
    """Of images with a single thing, how many have their color and digit as the nearest of 60 prompts."""
    rows = [i for i, caption in enumerate(captions) if caption in PROMPTS]
    if not rows:
        return float("nan")
    own = torch.tensor([PROMPTS.index(captions[i]) for i in rows])
    return ((images[rows] @ encode(PROMPTS).T).argmax(1) == own).double().mean().item()


def swapped_accuracies(images: Tensor, captions: Sequence[str], encode: Encode) -> dict[str, float]:
    """How often the right caption lies nearer than the one with colors, order or relation exchanged, of images where
    that makes a difference; ties count half. NaN where there are none."""
    return {name: _swapped(images, captions, encode, swap) for name, swap in SWAPS.items()}


def _swapped(images: Tensor, captions: Sequence[str], encode: Encode, swap: Callable[[str], str | None]) -> float:
    pairs = [(i, text, wrong) for i, text in enumerate(captions) if (wrong := swap(text)) is not None]
    if not pairs:
        return float("nan")
    rows, right, wrong = zip(*pairs, strict=True)
    of_rows = images[list(rows)]
    gap = (of_rows * (encode(right) - encode(wrong))).sum(1)
    return ((gap > 0).double() + (gap == 0).double() / 2).mean().item()


def scores(images: Tensor, captions: Sequence[str], encode: Encode) -> dict[str, float]:
    """All of these by name; those of scenes only where captions are theirs."""
    found = retrieval(images, captions, encode)
    values = {"caption_recall_at_1": found.caption_recall_at_1, "image_recall_at_1": found.image_recall_at_1}
    values |= {"captions": found.captions, "caption_recall_at_1_chance": 1 / found.captions}
    if all(parse_caption(caption) for caption in captions):
        values["zero_shot_accuracy"] = zero_shot_accuracy(images, captions, encode)
        swapped = swapped_accuracies(images, captions, encode)
        values |= {f"swapped_{name}_accuracy": value for name, value in swapped.items()}
    return values
