"""Which words decide: occlusion.

Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2, slide a grey square over an
image and watch the probability of its class; here each word in turn is hidden. What a word tells is by how much the
log-odds of the predicted class fall without it:

    tell(w) = logit p(class | text) − logit p(class | text without w),        logit p = log p − log(1 − p)

A hidden word is replaced by "\ufffd", as often as it has characters where the tokens are characters: to tokenizers that
have never seen that sign it is the unknown token, which training has prepared the net for; WordPiece leaves it out. A
word tells nothing by itself where two say the same.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from torchworks.seq_models.classification.inputs import Reader, probabilities
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.text import Characters

HIDDEN = "\ufffd"
_WORD = re.compile(r"\w+|[^\w\s]+")
MOST_WORDS = 300
"""Words of a text that are looked at."""


def tell(run: FinishedRun, reader: Reader, text: str) -> tuple[Tensor, list[tuple[str, float]]]:
    """The probabilities of a text's classes, (K,), and of each word what it tells for the most probable class."""
    spans = [match.span() for match in _WORD.finditer(text)][:MOST_WORDS]
    whole = isinstance(reader.tokenizer, Characters)
    texts = [text, *(text[:a] + HIDDEN * (b - a if whole else 1) + text[b:] for a, b in spans)]
    rows = [reader.tokenizer.encode(each)[: reader.most] for each in texts]
    found = probabilities(run, [row or [reader.tokenizer.unknown] for row in rows])
    odds = torch.logit(found[:, int(found[0].argmax())].double(), eps=1e-7)
    return found[0], [(text[a:b], value) for (a, b), value in zip(spans, (odds[0] - odds[1:]).tolist(), strict=True)]


def most_telling(
    told: Sequence[tuple[int, Sequence[tuple[str, float]]]], names: Sequence[str], least: int = 3, count: int = 10
) -> dict[str, list[tuple[str, float, int]]]:
    """For each class the words that tell most for it: their mean, and in how many texts that were predicted to be of it
    they are, at least `least`. `told` has the predicted class of each text, and what its words tell."""
    found: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for predicted, words in told:
        for word, value in words:
            found[predicted][word.lower()].append(value)
    return {
        name: sorted(
            (
                (word, sum(values) / len(values), len(values))
                for word, values in found[k].items()
                if len(values) >= least
            ),
            key=lambda row: -row[1],
        )[:count]
        for k, name in enumerate(names)
    }
