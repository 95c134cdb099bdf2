"""Scores of written captions, beside those of simpler ways to find some."""

from collections.abc import Sequence

from torchworks.hybrid_multimodal.captioning.baselines import commonest, nearest
from torchworks.hybrid_multimodal.captioning.decoding import written
from torchworks.hybrid_multimodal.captioning.metrics import Cider, exact_match
from torchworks.hybrid_multimodal.data.parts import parts_of
from torchworks.hybrid_multimodal.models.captioner import Captioner
from torchworks.shared.data import resident
from torchworks.shared.data.tokenized import TokenizedImages
from torchworks.shared.text import Tokenizer


def caption_scores(
    net: Captioner,
    tokenizer: Tokenizer,
    train: TokenizedImages,
    test: TokenizedImages,
    *,
    beams: int,
    longest: int,
    greedy: bool = False,
) -> dict[str, float]:
    """Exact match and CIDEr of captions by greedy decoding and by beam search, of the commonest training caption and of
    the nearest training image's, on each part of `test`. Captions are compared as they are in `test`, in the
    tokenizer's spelling: lower case, and a space between any two words and marks. Exact match of greedy decoding is
    left out unless `greedy`: the task's own evaluation gives it."""
    images = resident(test).tensors["image"]
    right = [_spelled(text, tokenizer) for text in test.captions]
    training = [_spelled(text, tokenizer) for text in train.captions]
    found = {
        name: [each.text for each in written(net, tokenizer, images, beams=count, longest=longest)]
        for name, count in {"": 1, f"beams_{beams}": beams}.items()
        if count > 1 or not name
    }
    found["commonest"] = commonest(training, len(test))
    found["nearest"] = nearest(resident(train).tensors["image"], training, images)
    cider, scores = Cider(training), {}
    for part, rows in parts_of(test).items():
        for way, captions in found.items():
            pair = [captions[i] for i in rows], [right[i] for i in rows]
            if way or greedy:
                scores[_name("exact", way, part)] = exact_match(*pair)
            scores[_name("cider", way, part)] = cider.mean(*pair)
    return scores


def _name(score: str, way: str, part: str) -> str:
    return "_".join(filter(None, (score, part, way)))


def _spelled(text: str, tokenizer: Tokenizer) -> str:
    return tokenizer.decode(tokenizer.encode(text))


def texts_of(net: Captioner, tokenizer: Tokenizer, dataset: TokenizedImages, rows: Sequence[int], **how) -> list[str]:
    """The captions of `rows`, written with the `beams` and `longest` of `how`."""
    images = resident(dataset).tensors["image"][list(rows)]
    return [each.text for each in written(net, tokenizer, images, **how)]
