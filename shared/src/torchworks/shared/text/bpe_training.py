"""Which pairs a byte-pair encoding merges: the one that occurs most, again and again (Sennrich 2016, algorithm 1).

Counts are kept up to date where a merge changes them instead of being taken anew: each pair knows in which words it has
been, and a heap has the pairs by their counts of some time ago, which are compared with those of now when one is taken.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

Pair = tuple[int, int]


def learn(words: Sequence[tuple[list[int], int]], first: int, most: int, min_count: int) -> list[Pair]:
    """At most `most` merges of `words`, pairs of a word and its count; the ids of what they make begin with
    `first`. Of pairs that occur equally often, the one of the smaller ids is taken."""
    merges: list[Pair] = []

    def made(pair: Pair) -> int | None:
        if len(merges) == most:
            return None
        merges.append(pair)
        return first + len(merges) - 1

    merge_pairs(words, made, min_count)
    return merges


def merge_pairs(words: Sequence[tuple[list[int], int]], made: Callable[[Pair], int | None], min_count: int) -> None:
    """Merge pairs of `words` until `made`, which is asked for the id of what a pair becomes, gives None, or no pair
    occurs `min_count` times any more."""
    counts: dict[Pair, int] = defaultdict(int)
    where: dict[Pair, set[int]] = defaultdict(set)
    for place, (ids, count) in enumerate(words):
        for pair in pairwise(ids):
            counts[pair] += count
            where[pair].add(place)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    while heap:
        count, pair = heapq.heappop(heap)
        if -count != counts[pair]:  # it has fallen since
            heapq.heappush(heap, (-counts[pair], pair))
        elif -count < max(1, min_count):
            break
        else:
            if (new_id := made(pair)) is None:
                break
            for each in _merge_everywhere(words, pair, new_id, counts, where):
                heapq.heappush(heap, (-counts[each], each))


def _merge_everywhere(
    words: Sequence[tuple[list[int], int]], pair: Pair, made: int, counts: dict[Pair, int], where: dict[Pair, set[int]]
) -> set[Pair]:
    """Merge `pair` in all words; the pairs that are new."""
    new: set[Pair] = set()
    for place in where.pop(pair):
        ids, count = words[place]
        for lost, won in _merge(ids, pair, made):
            counts[lost] -= count
            counts[won] += count
            where[won].add(place)
            new.add(won)
    return new


def _merge(ids: list[int], pair: Pair, made: int) -> list[tuple[Pair, Pair]]:
    """Merge `pair` in one word, from the left; what pairs beside it were and are now."""
    changes: list[tuple[Pair, Pair]] = []
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            if i > 0:
                changes.append(((ids[i - 1], ids[i]), (ids[i - 1], made)))
            if i + 2 < len(ids):
                changes.append(((ids[i + 1], ids[i + 2]), (made, ids[i + 2])))
            ids[i : i + 2] = [made]
        i += 1
    return changes
