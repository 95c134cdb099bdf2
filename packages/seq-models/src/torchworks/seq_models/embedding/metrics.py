"""Scores of word vectors, (V, D), whatever made them. Two words are as alike as the cosine between their vectors.

- `cloze_accuracy`: of ten words, one of which stands at a place of a text, that nearest to the mean of the words around
  the place is chosen. The others are drawn from the same text, so how often words occur does not help: chance is 0.1.
- `pmi_correlation`: Spearman's rank correlation, over pairs of words that stand near each other in a text, between
  cosine and pointwise mutual information, log(p(i, j) / p(i) p(j)).
- `affix_accuracy`: analogies that the spelling of the vocabulary gives, as in name : names = value : values. Of all
  words but those of the question, the one nearest to b - a + c must be d (3CosAdd: Mikolov et al. 2013, "Linguistic
  Regularities in Continuous Space Word Representations").

Shape letters: N questions, W words around a place on each side, C candidates, V words of the vocabulary, D size of a
vector.
"""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse
import scipy.stats
import torch
from torch import Tensor
from torch.nn import functional as F

CANDIDATES = 10
SPECIALS = 2
"""Padding and unknown words, the first numbers of a vocabulary, have no vector of use."""
AFFIXES = (("", "s"), ("", "ed"), ("", "ing"), ("", "er"), ("", "_name"), ("get", "set"), ("min", "max"), ("", "error"))
"""Endings of the two words of a pair; of the pairs in lower case without an underscore, beginnings."""
BEGINNINGS = {"get", "min"}
STEM = 3
"""Fewest characters that the two words of a pair have in common."""
MOST_ANALOGIES = 300
"""Of each affix."""
SEEN = 3
"""How often a pair must stand near each other in a text for its pointwise mutual information to count."""
Analogy = tuple[int, int, int, int]


def unit(vectors: Tensor) -> Tensor:
    """Vectors of length 1; those of padding and unknown words are 0."""
    vectors = F.normalize(vectors.float(), dim=1)
    return torch.cat([vectors.new_zeros(SPECIALS, vectors.shape[1]), vectors[SPECIALS:]])


def chosen(vectors: Tensor, around: Tensor, candidates: Tensor) -> Tensor:
    """The number of the candidate, (N,), that fits best among the words `around` it, int64 (N, 2W), 0 where there is
    none; `candidates` are int64 (N, C)."""
    vectors = unit(vectors)
    middle = F.embedding(around, vectors).sum(1)  # (N, D)
    return (F.embedding(candidates, vectors) @ middle[..., None]).squeeze(2).argmax(1)


def cloze_questions(stream: np.ndarray, window: int, count: int, seed: int) -> dict[str, Tensor]:
    """At most `count` places of a stream of words: `text`, the words around each, (N, 2W), and `candidates` (N, C), of
    which the first is right. Candidates that stand among the words around are left out there, being most like
    themselves."""
    random = np.random.default_rng(seed)
    places = np.flatnonzero(stream)
    places = random.permutation(places)[:count]
    steps = np.array([*range(-window, 0), *range(1, window + 1)])
    around = stream[places[:, None] + steps]
    right, others = stream[places], stream[random.choice(np.flatnonzero(stream), (len(places), CANDIDATES - 1))]
    clash = others == right[:, None]
    others[clash] = random.permutation(right)[: int(clash.sum())]  # hardly ever the same word again
    candidates = np.concatenate([right[:, None], others], 1)
    around = np.where((around[..., None] == candidates[:, None]).any(2), 0, around)
    real = around.any(1)
    made = {"text": around[real], "candidates": candidates[real]}
    return {name: torch.from_numpy(value.astype(np.int64)) for name, value in made.items()}


def cloze_accuracy(vectors: Tensor, questions: dict[str, Tensor]) -> float:
    return (chosen(vectors, questions["text"], questions["candidates"]) == 0).float().mean().item()


def mutual_information(counts: scipy.sparse.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of words i < j that stand near each other at least `SEEN` times, and their pointwise mutual information."""
    entries = scipy.sparse.triu(counts, 1).tocoo()
    often = entries.data >= SEEN
    i, j, joint = entries.row[often], entries.col[often], entries.data[often]
    single, total = counts.sum(1), counts.sum()
    return i, j, np.log(joint * total / (single[i] * single[j]))


def pmi_correlation(vectors: Tensor, counts: scipy.sparse.csr_array) -> float:
    """NaN if there are fewer than three pairs."""
    i, j, information = mutual_information(counts)
    return rank_correlation(vectors, i, j, information)


def rank_correlation(vectors: Tensor, i: np.ndarray, j: np.ndarray, wanted: np.ndarray) -> float:
    """Spearman's, between `wanted` (N,) and the cosines of words i and j; NaN if there are fewer than three."""
    if len(i) < 3:
        return float("nan")
    vectors = unit(vectors)
    cosines = (vectors[torch.from_numpy(i).long()] * vectors[torch.from_numpy(j).long()]).sum(1)
    return float(scipy.stats.spearmanr(cosines.numpy(), wanted).statistic)


def affix_pairs(words: Sequence[str]) -> list[list[tuple[int, int]]]:
    """For each affix the pairs of words, of a vocabulary in its order, that differ by it alone."""
    ids = {word: number for number, word in enumerate(words)}
    found = []
    for first, second in AFFIXES:
        pairs = []
        for word, number in ids.items():
            stem = word.removeprefix(first) if first in BEGINNINGS else word.removesuffix(first)
            other = second + stem if first in BEGINNINGS else stem + second
            changes = not first or stem != word
            if changes and len(stem) >= STEM and other in ids:
                pairs.append((number, ids[other]))
        found.append(pairs)
    return found


def affix_analogies(words: Sequence[str], seed: int = 0) -> list[Analogy]:
    """Pairs of pairs with the same affix."""
    random = np.random.default_rng(seed)
    made: list[Analogy] = []
    for pairs in affix_pairs(words):
        twice = list(itertools.permutations(pairs[:100], 2))
        some = random.permutation(len(twice))[:MOST_ANALOGIES] if twice else []
        made += [(*twice[k][0], *twice[k][1]) for k in some]
    return made


def analogy_accuracy(vectors: Tensor, analogies: Iterable[Analogy]) -> float:
    """The share of analogies a : b = c : d in which d is found; NaN if there are none."""
    questions = torch.tensor(list(analogies)).view(-1, 4)
    if not len(questions):
        return float("nan")
    vectors = unit(vectors)
    right = 0
    for part in questions.split(256):
        a, b, c = (vectors[part[:, k]] for k in range(3))
        likeness = (b - a + c) @ vectors.T  # (N, V)
        likeness.scatter_(1, part[:, :3], -torch.inf)
        right += int((likeness.argmax(1) == part[:, 3]).sum())
    return right / len(questions)
