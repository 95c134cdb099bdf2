"""Baselines of translation, without a net: the nearest training text's translation as it stands, and the same with what
differs put right by a table of words that IBM Model 1 learnt.

Shape letters: N pairs, R tokens of a source, T tokens of its translation, V tokens of the vocabulary.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from torchworks.seq_models.data.pairs import Pair
from torchworks.seq_models.translation.metrics import scores
from torchworks.shared.text import Tokenizer

ROUNDS = 5
"""Of expectation maximization."""
LEARNT = 6000
"""Pairs that the table is learnt from, at most."""
NEIGHBORS = 8
"""Training texts that are looked at; that with the most tokens in common is taken."""
Change = tuple[str, int, int, int, int]
"""What `difflib` says of tokens a to b of the one and c to d of the other: equal, replace, delete or insert."""
NULL = 0
"""A source token that stands before each source, for what comes of nothing (the id of padding)."""


def baselines(train: Sequence[Pair], test: Sequence[Pair], tokenizer: Tokenizer) -> dict[str, float]:
    """Exact match, BLEU and chrF of the test pairs by `nearest` and by `memory`."""
    neighbors = nearest([source for source, _ in train], [source for source, _ in test])
    memory = Memory(train, tokenizer)
    wanted = [target for _, target in test]
    plain = [train[row[0]][1] for row in neighbors]
    edited = [memory.translate(source, row) for (source, _), row in zip(test, neighbors, strict=True)]
    return {
        f"{name}_{score}": value
        for name, found in (("nearest", plain), ("memory", edited))
        for score, value in scores(found, wanted).items()
    }


def nearest(train: Sequence[str], test: Sequence[str]) -> np.ndarray:
    """For each of `test` the rows of the nearest in `train`, the nearest first: int (N, NEIGHBORS). By the cosine of
    TF-IDF of n-grams of 2 to 5 characters within words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, dtype=np.float32)
    known = vectors.fit_transform(train).T.tocsr()
    asked = vectors.transform(test)
    count = min(NEIGHBORS, len(train))
    found = []
    for start in range(0, len(test), 256):
        similarity = (asked[start : start + 256] @ known).toarray()
        best = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
        order = np.take_along_axis(similarity, best, 1).argsort(1, kind="stable")[:, ::-1]
        found.append(np.take_along_axis(best, order, 1))
    return np.concatenate(found)


class Memory:
    """A translation memory: of a neighbor's translation, tokens that belong to what differs are replaced, by the table
    of IBM Model 1 (Brown et al. 1993, "The Mathematics of Statistical Machine Translation", section 4.1)."""

    def __init__(self, train: Sequence[Pair], tokenizer: Tokenizer):
        self.train, self.tokenizer = train, tokenizer
        step = -(-len(train) // LEARNT)
        pairs = [tuple(map(tokenizer.encode, pair)) for pair in train[::step]]
        self.table = word_table(pairs, len(tokenizer))

    def translate(self, source: str, neighbors: Sequence[int]) -> str:
        """By that of the neighbors (rows of the training pairs) whose tokens are most like those of `source`."""
        asked = self.tokenizer.encode(source)
        known = {row: self.tokenizer.encode(self.train[row][0]) for row in neighbors}
        matchers = {row: SequenceMatcher[int](None, ids, asked, autojunk=False) for row, ids in known.items()}
        best = max(matchers, key=lambda row: matchers[row].ratio())
        answer = self.tokenizer.encode(self.train[best][1])
        return self.tokenizer.decode(self._edited(known[best], asked, answer, matchers[best].get_opcodes()))

    def _edited(self, known: list[int], asked: list[int], answer: list[int], opcodes: Sequence[Change]) -> list[int]:
        """`answer`, of whose tokens each is aligned with one of `known`. Where that token was replaced, the likeliest
        translations of the new ones stand instead; where it is gone, nothing does; what was inserted comes at the
        end."""
        links = self.table[np.ix_(known, answer)].argmax(0) if known else np.zeros(len(answer), int)  # (T,)
        changes = [each for each in opcodes if each[0] != "equal"]
        written: list[int] = []
        done: set[int] = set()
        for token, link in zip(answer, links, strict=True):
            change = next((i for i, (_, a, b, _, _) in enumerate(changes) if a <= link < b), None)
            if change is None:
                written.append(token)
            elif change not in done:
                done.add(change)
                _, _, _, c, d = changes[change]
                written += [int(self.table[each].argmax()) for each in asked[c:d]]
        added = [token for kind, _, _, c, d in changes if kind == "insert" for token in asked[c:d]]
        return written + [int(self.table[each].argmax()) for each in added]


def word_table(pairs: Sequence[tuple[Sequence[int], ...]], vocabulary: int) -> np.ndarray:
    """t(f | e), the probability that source token e becomes f, (V, V), by IBM Model 1: each token of a translation
    comes from one of the source's or from `NULL`, all equally likely beforehand.

        share of e in f = t(f|e) / Σ_e' t(f|e')        t(f|e) = Σ shares, normalized over f        (equations 5 to 7)
    """
    table = np.full((vocabulary, vocabulary), 1 / vocabulary, np.float64)
    sides = [(np.array([NULL, *source]), np.array(target, int)) for source, target in pairs]
    for _ in range(ROUNDS):
        counts = np.zeros_like(table)
        for source, target in sides:
            shares = table[source[:, None], target]  # (R + 1, T)
            np.add.at(counts, (source[:, None], target), shares / shares.sum(0))
        table = counts / np.maximum(counts.sum(1, keepdims=True), 1e-12)
    return table
