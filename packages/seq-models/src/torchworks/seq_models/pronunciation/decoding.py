"""Words to pronunciations by a net: a beam search over their letters, and n-grams to choose among what it finds.

Shape letters: N words of equal length, T letters, K beginnings that are followed, U units.
"""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from torchworks.seq_models.models.aligned_seq2seq import PADDING, AlignedSeq2Seq
from torchworks.seq_models.pronunciation.joint import JointNGram
from torchworks.shared.runs.outputs import progress

BATCH = 256
CANDIDATES = 8
"""Beginnings that are followed where n-grams choose."""
SILENT = "-"
"""What a unit without a sound is called where names are shown."""


class Spoken(NamedTuple):
    """A pronunciation."""

    sounds: str
    """With spaces between."""
    probability: float


class Chooser(NamedTuple):
    """n-grams that choose among the pronunciations a net finds, with their `weight` beside the net's."""

    joint: JointNGram
    weight: float

    def scores(self, word: str, units: Sequence[Sequence[str]], logs: Sequence[float]) -> list[float]:
        """Of each candidate's units, with the net's log-probability, the logarithm of its share of them all."""
        given = self.joint.log_probabilities([(word, each) for each in units])
        both = (1 - self.weight) * np.array(logs) + self.weight * given
        return (both - np.logaddexp.reduce(both)).tolist()


def pronounced(
    net: AlignedSeq2Seq, rows: Sequence[Sequence[int]], names: Sequence[str], beams: int, *, shown: bool = False,
    words: Sequence[str] = (), chooser: Chooser | None = None,
) -> list[list[Spoken]]:  # fmt: skip
    """The pronunciations of each row of letters, the likeliest first, at least one and `beams` at the most. Those that
    different units spell alike are one, with the sum of their probabilities. `names` are the sounds of each unit. A
    `chooser`, which needs the `words` of the rows, has its say too: probabilities are shares among those found then."""
    net.eval()
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found: list[list[Spoken]] = [[] for _ in rows]
    places = [list(each) for _, each in groupby(order, key=lambda i: len(rows[i]))]
    batches = [each[i : i + BATCH] for each in places for i in range(0, len(each), BATCH)]
    for batch in progress(batches, "pronouncing", len(batches)) if shown else batches:
        units, logs = search(net, torch.tensor([rows[i] for i in batch]), beams)
        for i, each, scores in zip(batch, units.tolist(), logs.tolist(), strict=True):
            if chooser is not None:
                said = [["" if names[unit] == SILENT else names[unit] for unit in one] for one in each]
                scores = chooser.scores(words[i], said, scores)
            found[i] = _merged(each, scores, names)
    return found


@torch.no_grad()
def search(net: AlignedSeq2Seq, letters: Tensor, beams: int) -> tuple[Tensor, Tensor]:
    """Letters, int64 (N, T) without padding → the likeliest units, int64 (N, K, T), the likeliest first, and their
    log-probabilities (N, K). K may be less than `beams` for short words."""
    letters = letters.to(net.output.weight.device)
    rows, (h, c) = len(letters), net.first(len(letters), net.output.weight)
    every = torch.arange(rows, device=letters.device)[:, None]
    units, scores = letters.new_zeros(rows, 1, 0), h.new_zeros(rows, 1)
    before = letters.new_full((rows, 1), PADDING)
    for encoded in net.encode(letters).unbind(1):  # (N, 2H)
        width = before.shape[1]
        logs, (h, c) = net.step(encoded.repeat_interleave(width, 0), before.flatten(), (h, c))
        grown = (scores[..., None] + logs.view(rows, width, -1))[..., PADDING + 1 :].flatten(1)
        scores, places = grown.topk(min(beams, grown.shape[1]), 1)
        parents, before = places // (logs.shape[1] - 1), places % (logs.shape[1] - 1) + PADDING + 1
        kept = (every * width + parents).flatten()
        h, c = h[kept], c[kept]
        units = torch.cat([units[every, parents], before[..., None]], 2)
    return units, scores


def _merged(units: Sequence[Sequence[int]], logs: Sequence[float], names: Sequence[str]) -> list[Spoken]:
    totals: dict[str, float] = {}
    for each, log in zip(units, logs, strict=True):
        said = sounds_of(each, names)
        totals[said] = totals.get(said, 0.0) + math.exp(log)
    return sorted((Spoken(*item) for item in totals.items()), key=lambda each: -each.probability)


def sounds_of(units: Sequence[int], names: Sequence[str]) -> str:
    return " ".join(names[unit] for unit in units if names[unit] not in ("", SILENT))
