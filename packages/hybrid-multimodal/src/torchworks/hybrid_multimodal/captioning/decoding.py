"""Images to captions by a net, a batch at a time.

Shape letters: N images, C channels, S pixels along a side, W words of a caption, P places.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.captioning.beam import beam_search
from torchworks.hybrid_multimodal.captioning.tokens import END, PADDING, special
from torchworks.hybrid_multimodal.models.captioner import Captioner
from torchworks.shared.text import Tokenizer

BATCH = 100


@dataclass(frozen=True)
class Written:
    """A caption as it was written."""

    text: str
    words: tuple[str, ...]
    """Each token that the text has, and "<end>" if it was reached."""
    maps: Tensor
    """Where each of the words was read, (W, P)."""
    log_probability: float


@torch.no_grad()
def written(net: Captioner, tokenizer: Tokenizer, images: Tensor, *, beams: int, longest: int) -> list[Written]:
    """Captions of images uint8 (N, C, S, S), by beam search."""
    was_training, device = net.training, next(net.parameters()).device
    net.eval()
    found = []
    for part in images.split(BATCH):
        captions = beam_search(net, part.to(device).float() / 255, beams=beams, longest=longest)
        rows = zip(captions.tokens.tolist(), captions.maps.cpu(), captions.log_probability.tolist(), strict=True)
        found += [_written(tokenizer, ids, maps, score) for ids, maps, score in rows]
    net.train(was_training)
    return found


def _written(tokenizer: Tokenizer, ids: Sequence[int], maps: Tensor, score: float) -> Written:
    end = special(tokenizer, END)
    ids = [each for each in ids if each != PADDING]
    words = tuple(END if each == end else tokenizer.decode([each]) for each in ids)
    return Written(tokenizer.decode(ids), words, maps[: len(words)], score)
