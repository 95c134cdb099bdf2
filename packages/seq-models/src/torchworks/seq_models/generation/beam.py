"""Beam search: the most probable whole answer, as far as a few candidates at a time can find it.

Greedy decoding takes the likeliest next token, which may lead to an unlikely end. Beam search keeps the `beams`
likeliest beginnings, continues each in all ways, and keeps the best again. A complete answer's score is the logarithm
of its probability divided by its length to the power of `length_penalty`, for without that short answers always win (Wu
et al. 2016, arXiv:1609.08144, section 7, who divide by ((5 + length) / 6)^α; this is the simpler form that transformers
has).

Rules as in transformers with `early_stopping=False`, so that results compare: of the 2 · `beams` likeliest
continuations, those that end count if they are among the first `beams`; the search of a prompt is over when its
likeliest beginning, at its present length, scores no better than the worst of `beams` complete answers.

Shape letters: N beginnings of all prompts together, V tokens of the vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from torchworks.seq_models.generation.generate import check_prompts, on_device, padded, without_gradients
from torchworks.seq_models.generation.protocol import Autoregressive, select
from torchworks.shared.config import UserError
from torchworks.shared.machine.facts import memory_free
from torchworks.shared.text.allowed import AllowedSequences


@dataclass(frozen=True)
class Answer:
    """Generated tokens, `end` among them if it was reached, and their score: higher is better."""

    tokens: tuple[int, ...]
    score: float


@dataclass
class Search:
    """The search for one prompt."""

    beams: int
    length_penalty: float
    end: int | None
    allowed: AllowedSequences | None
    running: list[Answer] = field(default_factory=lambda: [Answer((), 0.0)])
    """The beginnings and the logarithms of their probabilities, the likeliest first."""
    complete: list[Answer] = field(default_factory=list)

    def extend(self, log_probabilities: NDArray[np.floating], *, last: bool) -> list[int]:
        """Continue the beginnings by their rows (len(running), V). Returns which of them each new one continues."""
        totals = log_probabilities + np.array([each.score for each in self.running])[:, None]
        best = np.argsort(-totals, axis=None, kind="stable")[: 2 * self.beams]
        parents, going = [], []
        for rank, (parent, token) in enumerate(zip(*np.unravel_index(best, totals.shape), strict=True)):
            answer = Answer((*self.running[parent].tokens, int(token)), float(totals[parent, token]))
            if not np.isfinite(answer.score):
                continue  # not allowed
            if last or self._ends(answer):
                if rank < self.beams:
                    self._add(answer)
            elif len(going) < self.beams:
                going.append(answer)
                parents.append(int(parent))
        self.running = going
        return parents

    def _ends(self, answer: Answer) -> bool:
        whole = self.allowed is not None and not self.allowed.after(answer.tokens)
        return whole or answer.tokens[-1] == self.end

    def _add(self, answer: Answer) -> None:
        self.complete.append(Answer(answer.tokens, answer.score / len(answer.tokens) ** self.length_penalty))
        self.complete = sorted(self.complete, key=lambda each: -each.score)[: self.beams]

    @property
    def over(self) -> bool:
        """Whether no beginning can be hoped to do better."""
        if not self.running:
            return True
        likeliest = self.running[0]
        hope = likeliest.score / len(likeliest.tokens) ** self.length_penalty
        return len(self.complete) == self.beams and hope <= self.complete[-1].score


def beam_search(
    net: Autoregressive,
    prompts: Sequence[Sequence[int]],
    *,
    beams: int,
    steps: int,
    end: int | None = None,
    length_penalty: float = 1.0,
    allowed: AllowedSequences | None = None,
) -> list[list[Answer]]:
    """Up to `beams` answers to each prompt, of up to `steps` tokens each, the best first. The net is in evaluation
    mode.

    An answer is complete after the token `end`, as a whole one of `allowed`, or at `steps` tokens. Raises `UserError`
    as `generate` does, and if prompt and answer do not fit into the net together."""
    check_prompts(net, prompts, steps)
    if not len(prompts):
        return []
    if net.continues and net.longest is not None and max(map(len, prompts)) + steps > net.longest:
        raise UserError(
            f"Beam search cannot forget: prompt and answer together may have {net.longest} tokens, but the longest "
            f"prompt has {max(map(len, prompts))} and {steps} more are asked for."
        )
    searches = [Search(beams, length_penalty, end, allowed) for _ in prompts]
    with without_gradients():
        logits, state = net.start(*on_device(net, *padded(prompts)))
        for place in range(steps):
            parents = _extend_all(searches, _log_softmax(logits), last=place == steps - 1)
            if not parents:
                break
            newest = torch.tensor([each.tokens[-1] for search in searches for each in search.running])
            rows, newest = on_device(net, torch.tensor(parents), newest)
            logits, state = net.step(newest, select(state, rows))
    return [search.complete for search in searches]


FEW = 16
"""Beams that need no check: any memory has room for them."""


def check_beams(net: Autoregressive, beams: int, option: str, *, longest: int) -> None:
    """Raise `UserError`, which names the `option`, for more `beams` than the vocabulary has tokens, or than half of the
    free memory has room for after a prompt of `longest` tokens."""
    if beams <= FEW:
        return
    most = most_beams(net, longest)
    if beams > max(most, FEW):
        raise UserError(
            f"{option} is {beams:,}; this model can follow {most:,} at a time at most, by its {net.vocabulary:,} "
            "tokens and the free memory. More than 10 seldom find anything better."
        )


def most_beams(net: Autoregressive, longest: int) -> int:
    """By the vocabulary, and by what the state of one beam takes, counted six times: as it is, chosen and continued,
    each with as many tokens of the answer again."""
    with without_gradients():
        _, state = net.start(*on_device(net, *padded([[0] * longest])))
    one = 6 * sum(value.nbytes for value in state.values()) + 48 * net.vocabulary  # totals and their order, float64
    free = memory_free()
    return net.vocabulary if free is None else max(1, min(net.vocabulary, free // 2 // one))


def _extend_all(searches: list[Search], log_probabilities: NDArray[np.floating], *, last: bool) -> list[int]:
    """Continue the searches by their rows, one search after the other. Returns which row each new beginning
    continues."""
    parents, begin = [], 0
    for search in searches:
        end = begin + len(search.running)
        if search.running:
            rows = _restricted(search, log_probabilities[begin:end])
            parents += [begin + parent for parent in _of_unfinished(search, search.extend(rows, last=last))]
        begin = end
    return parents


def _restricted(search: Search, rows: NDArray[np.floating]) -> NDArray[np.floating]:
    if search.allowed is None:
        return rows
    pairs = zip(rows, search.running, strict=True)
    return np.stack([search.allowed.restrict(row, each.tokens) for row, each in pairs])


def _of_unfinished(search: Search, parents: list[int]) -> list[int]:
    """`parents`, or none if the search is over; then nothing of it runs on."""
    if search.over:
        search.running = []
        return []
    return parents


def _log_softmax(logits: torch.Tensor) -> NDArray[np.floating]:
    values = logits.double().log_softmax(1).cpu().numpy()
    if np.isnan(values).any():
        raise UserError("No next token can be chosen: the model's logits are not numbers (NaN or infinity).")
    return values
