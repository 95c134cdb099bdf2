"""Images with their captions as tokens, and wrong captions that are nearly right.

Shape letters: N images, T tokens of a text, its end among them, P wrong captions of an image.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from torchworks.hybrid_multimodal.data.scene_captions import SWAPS, Thing, parse_caption
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, Schema, TensorDataset, resident
from torchworks.shared.data.captions import captions_in
from torchworks.shared.data.tokenized import padded
from torchworks.shared.numbers.seeds import mix
from torchworks.shared.text import Tokenizer, Words
from torchworks.shared.text.reading import check_words

TOKENIZER = "tokenizer.json"
WRONG = 8
"""Wrong captions that are kept of each image."""


class Texts:
    """Texts to tokens, with the end of the text, the largest id, behind each."""

    def __init__(self, tokenizer: Tokenizer, length: int):
        self.tokenizer, self.length, self.end = tokenizer, length, len(tokenizer)

    @classmethod
    def of(cls, captions: Iterable[str], vocabulary: int, longest: int) -> "Texts":
        """Of the training captions. Raises `UserError` if they have no word."""
        captions = {*captions}
        words = Words.train(captions, size=vocabulary + 2)
        if not words.tokens:
            raise UserError("The training captions have no word in them, so there is nothing to compare images with.")
        return cls(words, 1 + min(longest, max(len(words.encode(text)) for text in captions)))

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """int64 (N, T), cut off and padded with 0."""
        return padded(texts, self.tokenizer, self.length, end=self.end)

    def check(self, text: str) -> None:
        """Raise `UserError` for a text that the model cannot read as a whole."""
        advice = "Say what the image should show."
        check_words(text, self.tokenizer, self.length - 1, name="sentence", learned="captions", advice=advice)


def tokenized(dataset: Dataset, texts: Texts, *, wrong: bool = False, seed: int = 0) -> TensorDataset:
    """Images with `tokens` (N, T) and, if asked for, `wrong` captions (N, P, T)."""
    captions = captions_in(dataset)
    known = frozenset(thing for text in {*captions} if (its := parse_caption(text)) for thing in its.things)
    tensors = {"image": resident(dataset).tensors["image"], "tokens": texts(captions)}
    fields = [dataset.schema["image"], Field("tokens", "tokens", (texts.length,), vocabulary=texts.end + 1)]
    if wrong:
        rows = [
            text for i, caption in enumerate(captions) for text in wrong_captions(caption, known, mix(seed, "wrong", i))
        ]
        tensors["wrong"] = texts(rows).unflatten(0, (-1, WRONG))
        fields.append(Field("wrong", "tokens", (WRONG, texts.length), vocabulary=texts.end + 1))
    return TensorDataset(tensors, Schema(tuple(fields)))


def wrong_captions(caption: str, known: Collection[Thing], seed: int) -> list[str]:
    """`WRONG` captions that are nearly right: those of `SWAPS`, the others with one color or digit replaced. They name
    `known` things alone, such as the data have: others would teach that what is never seen is always wrong. Raises
    `UserError` for captions of other data, whose grammar is not known."""
    its = parse_caption(caption)
    if its is None:
        raise UserError(
            f"--hard-negatives needs captions of digit-scenes, but one is '{caption}': of other sentences it is not "
            "known which words may be exchanged. Leave --hard-negatives out."
        )
    swapped = [text for swap in SWAPS.values() if (text := swap(caption)) is not None]
    found = [text for text in swapped if (said := parse_caption(text)) and {*said.things} <= {*known}]
    replaced = [
        str(replace(its, things=(*its.things[:i], other, *its.things[i + 1 :])))
        for i, (color, digit) in enumerate(its.things)
        for other in known
        if (color == other[0]) != (digit == other[1])
    ]
    if not replaced:  # of data with a single thing
        return [*found, *[caption] * WRONG][:WRONG]
    chosen = np.random.default_rng(seed).choice(sorted(replaced), WRONG - len(found))
    return [*found, *map(str, chosen)]
