"""Scores of answers and summaries as strings.

Exact match and F1 are SQuAD's (Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1; with answers that are not in the
text, Rajpurkar et al. 2018, arXiv:1806.03822): case, punctuation, articles and spaces do not count. F1 is that of the
words that two answers share. ROUGE-L (Lin 2004, "ROUGE: A package for automatic evaluation of summaries", section 3.1)
is the F1 of their longest common subsequence, equations 2 to 4 with β = 1, words being runs of a to z and 0 to 9 in
lower case, as in the package rouge-score without its stemmer.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(answer: str) -> str:
    """Lower case, without punctuation, articles and spaces that do not count."""
    return " ".join(_ARTICLE.sub(" ", answer.lower().translate(_NO_PUNCTUATION)).split())


def token_f1(answer: str, reference: str) -> float:
    """The F1 of the words of two normalized answers; of two empty ones 1."""
    mine, theirs = normalized(answer).split(), normalized(reference).split()
    if not mine or not theirs:
        return float(mine == theirs)
    return _f1(sum((Counter(mine) & Counter(theirs)).values()), len(mine), len(theirs))


def rouge_l(text: str, reference: str) -> float:
    """ROUGE-L, from 0 to 1."""
    mine, theirs = (re.findall("[a-z0-9]+", each.lower()) for each in (text, reference))
    return _f1(_common_subsequence(mine, theirs), len(mine), len(theirs))


def _f1(shared: int, mine: int, theirs: int) -> float:
    return 2 * shared / (mine + theirs) if shared else 0.0


def _common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest sequence of words that both have in this order."""
    row = [0] * (len(b) + 1)  # row[j]: of the words of `a` so far and the first j of `b`
    for word in a:
        before = row
        row = [0]
        for j, other in enumerate(b):
            row.append(before[j] + 1 if word == other else max(before[j + 1], row[j]))
    return row[-1]


def answer_scores(answers: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """`exact_match` and `f1`; where some references are empty, so that there is no answer, also the same of the others
    (`…_answerable`), and which share of answers that are not there is recognized (`no_answer_recall`), and of those
    said not to be there is not (`no_answer_precision`)."""
    pairs = [*zip(answers, references, strict=True)]
    exact = [normalized(mine) == normalized(theirs) for mine, theirs in pairs]
    f1 = [token_f1(*pair) for pair in pairs]
    found = {"exact_match": _mean(exact), "f1": _mean(f1)}
    has = [bool(each) for each in references]
    if all(has) or not any(has):
        return found
    said = [not each for each in answers]
    right = sum(a and not b for a, b in zip(said, has, strict=True))
    return found | {
        "exact_match_answerable": _mean([each for each, there in zip(exact, has, strict=True) if there]),
        "f1_answerable": _mean([each for each, there in zip(f1, has, strict=True) if there]),
        "no_answer_recall": right / has.count(False),
        "no_answer_precision": right / sum(said) if any(said) else 0.0,
    }


def summary_scores(summaries: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """`exact_match`, up to spaces, and `rouge_l`."""
    pairs = [*zip(summaries, references, strict=True)]
    return {
        "exact_match": _mean([mine.split() == theirs.split() for mine, theirs in pairs]),
        "rouge_l": _mean([rouge_l(*pair) for pair in pairs]),
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
