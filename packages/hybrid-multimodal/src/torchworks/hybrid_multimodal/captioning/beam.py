"""Beam search for captions by tensor operations alone, so that it is exported whole: all steps unrolled.

The `beams` likeliest beginnings are continued in all ways at once, and the likeliest of all these are kept. A beginning
with the token `end` is complete and goes on as it is. At the last step unfinished ones are answers too. Among the
answers the best has the largest log-probability divided by its length to the power of `length_penalty`, for without
that short ones always win (Wu et al. 2016, arXiv:1609.08144, section 7, in the form that transformers has). With one
beam this is greedy decoding; with as many as there are sequences it tries all.

Shape letters: N images, B beams, L tokens at most, V tokens of the vocabulary, P places.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.captioning.tokens import PADDING
from torchworks.hybrid_multimodal.models.captioner import Captioner, Memory, State

IMPOSSIBLE = -1e9
"""A log-probability that no sequence has; finite, so that no difference of two is NaN."""


@dataclass(frozen=True)
class Captions:
    """What was found for N images."""

    tokens: Tensor
    """int64 (N, L), with `end` where it was reached, then 0."""
    log_probability: Tensor
    """float32 (N,): of the whole caption."""
    maps: Tensor
    """float32 (N, L, P): where each token was read; 0 behind the end."""


def beam_search(net: Captioner, image: Tensor, *, beams: int, longest: int, length_penalty: float = 1.0) -> Captions:
    """The best caption of at most `longest` tokens, the end among them, of each image (N, C, S, S) in [0, 1]. `net` is
    in evaluation mode."""
    return search(net, net.look(image), beams=beams, longest=longest, length_penalty=length_penalty)


def search(net: Captioner, memory: Memory, *, beams: int, longest: int, length_penalty: float = 1.0) -> Captions:
    """The same for what `net.look` found."""
    count = memory[0].shape[0]
    memory, state = _repeated(memory, beams), _repeated(net.start(memory), beams)
    token = memory[0].new_full((count * beams,), net.begin, dtype=torch.int64)
    total = memory[0].new_full((count, beams), IMPOSSIBLE, dtype=torch.float32)
    total[:, 0] = 0  # all beams are alike before the first word
    done = torch.zeros_like(total, dtype=torch.bool)
    tokens = token.new_zeros(count, beams, 0)
    maps = total.new_zeros(count, beams, 0, net.places)
    for _ in range(longest):
        logits, state, where = net.step(memory, state, token)
        following = _following(logits.float().log_softmax(1).view(count, beams, -1), done)
        total, best = (total[..., None] + following).flatten(1).topk(beams, dim=1)  # (N, B)
        parent, chosen = best // net.vocabulary, best % net.vocabulary
        where = where.float().view(count, beams, 1, -1) * ~done[..., None, None]
        maps = _of_parents(torch.cat([maps, where], 2), parent)
        tokens = torch.cat([_of_parents(tokens, parent), chosen[..., None]], 2)
        done = done.gather(1, parent) | (chosen == net.end)
        state = tuple(_of_parents(each.view(count, beams, *each.shape[1:]), parent).flatten(0, 1) for each in state)
        token = chosen.flatten()
    length = (tokens != PADDING).sum(2).clamp(min=1)
    best = (total / length.float() ** length_penalty).argmax(1, keepdim=True)  # (N, 1)
    return Captions(_of_parents(tokens, best)[:, 0], total.gather(1, best)[:, 0], _of_parents(maps, best)[:, 0])


def _following(log_probability: Tensor, done: Tensor) -> Tensor:
    """Log-probabilities (N, B, V) of the next token: padding follows a complete caption, and nothing else."""
    padding = torch.arange(log_probability.shape[2], device=done.device) == PADDING
    after = torch.where(padding, 0.0, IMPOSSIBLE)
    return torch.where(done[..., None], after, log_probability.masked_fill(padding, IMPOSSIBLE))


def _repeated(rows: Memory | State, beams: int) -> tuple[Tensor, ...]:
    """Each row `beams` times."""
    return tuple(each.repeat_interleave(beams, 0) for each in rows) if beams > 1 else tuple(rows)


def _of_parents(values: Tensor, parent: Tensor) -> Tensor:
    """(N, B, …) and int64 (N, K) below B to (N, K, …)."""
    index = parent.view(*parent.shape, *(1,) * (values.ndim - 2)).expand(-1, -1, *values.shape[2:])
    return values.gather(1, index)
