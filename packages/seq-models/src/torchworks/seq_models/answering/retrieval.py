"""Finding the reply to a message among those of known conversations, by the message that is most like it.

    index = Index(messages, "characters")
    similarity, places = index.most_similar("how r u doing", 3)

- "characters", "words": TF-IDF of 2 to 4 characters within words, or of words; similarity is the cosine, from 0 to 1.
- "bm25": Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond", equation 3.15, of
  words, with k_1 = 1.2 and b = 0.75, divided by the most that the message's known words could give.

How well it works is measured on messages that are worded anew by rules (`reworded`): function words left out or put in,
contractions, letters exchanged or doubled.

Shape letters: N messages, M messages of the index, V features.
"""

import random
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from torchworks.seq_models.data.conversations import key_of

Kind = Literal["characters", "words", "bm25"]
KINDS: tuple[Kind, ...] = ("characters", "words", "bm25")
WORD = r"(?u)\w+"
K1, B = 1.2, 0.75


class Index:
    """Known messages, M of them, at least one of which has a letter or digit."""

    def __init__(self, messages: Sequence[str], kind: Kind = "characters"):
        self.kind = kind
        words = {"token_pattern": WORD}
        if kind == "bm25":
            self.counts = CountVectorizer(**words)
            self.matrix = self._weighted(self.counts.fit_transform(messages))
        else:
            options = words if kind == "words" else {"analyzer": "char_wb", "ngram_range": (2, 4)}
            self.vectors = TfidfVectorizer(sublinear_tf=True, **options)
            self.matrix = self.vectors.fit_transform(messages)

    def similarities(self, messages: Sequence[str]) -> np.ndarray:
        """Of each message to each known one, (N, M)."""
        if self.kind != "bm25":
            return (self.vectors.transform(messages) @ self.matrix.T).toarray()
        asked = self.counts.transform(messages)
        asked.data[:] = 1
        own = np.asarray(asked @ self.idf).ravel() * (K1 + 1)
        return (asked @ self.matrix.T).toarray() / np.maximum(own, 1e-9)[:, None]

    def most_similar(self, message: str, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The similarities and places of the `count` most similar known messages, the first of equal ones first."""
        found = self.similarities([message])[0]
        places = np.argsort(-found, kind="stable")[:count]
        return found[places], places

    def _weighted(self, counts):
        """BM25 of each word in each known message, (M, V)."""
        lengths = np.asarray(counts.sum(1)).ravel()
        occurs = np.asarray((counts > 0).sum(0)).ravel()
        self.idf = np.log(1 + (len(lengths) - occurs + 0.5) / (occurs + 0.5))
        norm = K1 * (1 - B + B * lengths / lengths.mean())
        weighted = counts.tocoo().astype(float)
        weighted.data = weighted.data * (K1 + 1) / (weighted.data + norm[weighted.row]) * self.idf[weighted.col]
        return weighted.tocsr()


def ranks(index: Index, messages: Sequence[str], right: Sequence[set[int]]) -> np.ndarray:
    """The rank, from 1 on, of the best of the `right` places of each message, (N,); of equal similarities the first
    place is first."""
    order = np.argsort(-index.similarities(messages), axis=1, kind="stable")
    return np.array([1 + next(i for i, place in enumerate(row) if place in each)
                     for row, each in zip(order.tolist(), right, strict=True)])  # fmt: skip


# -------------------------------------------------------------------------------------------------- other words

_FUNCTION_WORDS = {
    "the", "a", "an", "is", "are", "do", "does", "did", "of", "to", "in", "on", "my", "your", "it", "that", "was",
    "with", "for", "be", "have", "has", "you", "i", "me",
}  # fmt: skip
_CONTRACTIONS = {
    "what is": "what's", "who is": "who's", "do not": "don't", "i am": "i'm", "you are": "you're", "can not": "can't",
    "is not": "isn't", "it is": "it's", "that is": "that's", "how is": "how's",
}  # fmt: skip
_BEFORE = ("please tell me", "i would like to know", "hey", "so", "can you say", "tell me")


def reworded(message: str, draw: random.Random) -> str:
    """The message in other words, by rules: a contraction made or undone, half of the function words left out,
    something said before, and in long words letters exchanged, left out or doubled."""
    text = " ".join(re.findall(r"[\w']+", message.lower()))
    for long, short in _CONTRACTIONS.items():
        text = text.replace(long, short) if long in text else text.replace(short, long)
    words = [word for word in text.split() if word not in _FUNCTION_WORDS or draw.random() < 0.5]
    words = [_misspelled(word, draw) if len(word) > 4 and draw.random() < 0.25 else word for word in words]
    before = [draw.choice(_BEFORE)] if draw.random() < 0.4 else []
    return " ".join([*before, *words]) or text


def _misspelled(word: str, draw: random.Random) -> str:
    i = draw.randint(1, len(word) - 2)
    return draw.choice((
        word[:i] + word[i + 1] + word[i] + word[i + 2 :], word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:],
    ))  # fmt: skip


def retrieval_scores(messages: Sequence[str], draws: Sequence[random.Random]) -> dict[str, float]:
    """For each kind of index of `messages`, which are `reworded` with one of `draws` each: the share in which the
    message most like the reworded one is the right one, or equal to it (`recall_at_1_…`), and the mean reciprocal rank
    of the right one (`mrr_…`). Beside it, what looking up the very words finds."""
    keys = [key_of(message) for message in messages]
    right = [{j for j, other in enumerate(keys) if other == key} for key in keys]
    asked = [reworded(message, draw) for message, draw in zip(messages, draws, strict=True)]
    same = [key_of(text) in (key,) for text, key in zip(asked, keys, strict=True)]
    found = {"recall_at_1_lookup": float(np.mean(same))}
    for kind in KINDS:
        rank = ranks(Index(messages, kind), asked, right)
        found |= {f"recall_at_1_{kind}": float((rank == 1).mean()), f"mrr_{kind}": float((1 / rank).mean())}
    return found
