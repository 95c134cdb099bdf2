"""A policy and a value function with a memory: each a dense layer and an LSTM, which share nothing.

Hausknecht & Stone 2015, "Deep Recurrent Q-Learning for Partially Observable MDPs" (AAAI Fall Symposium,
arXiv:1507.06527): where an observation does not say all, a recurrent layer after the dense ones carries what was seen
before. Hochreiter & Schmidhuber 1997, "Long Short-Term Memory" (Neural Computation 9), with the forget gate of Gers,
Schmidhuber & Cummins 2000:

    x_t = tanh(E s_t)
    i, f, g, o = W x_t + U h_{t−1} + b
    c_t = σ(f) c_{t−1} + σ(i) tanh(g)          h_t = σ(o) tanh(c_t)
    π(· | s_1 … s_t) = softmax(P h_t)   or   N(P h_t, exp(log_std)²)          V(s_1 … s_t) = v · h'_t

h' is of the value's own LSTM. h and c are zeros where an episode begins, also in the middle of a sequence.

A sequence is not walked step by step: it is cut where episodes begin, and all pieces go through the LSTM side by side,
padded to the longest. Whatever stands in the padding comes after a piece's last step and changes nothing.

Shapes: N sequences or observations, T steps, D numbers of an observation, A actions or numbers of an action, H units
of each LSTM. A state is two tensors (N, 2, H), h and c, of the policy's LSTM and the value's.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from torchworks.shared.training.full_precision import full_precision


class Pieces(NamedTuple):
    """Where each step of N sequences of T steps belongs if they are cut where episodes begin: to piece `number` (N, T)
    at the place `place` (N, T). Piece `first` (N,) is the one that each sequence begins with, and goes on from the
    state before it, unless `starts` (N, T) says that an episode begins there."""

    number: Tensor
    place: Tensor
    first: Tensor
    count: int
    longest: int


def pieces(starts: Tensor) -> Pieces:
    """Of `starts` bool (N, T): where episodes begin."""
    begins = starts.clone()
    begins[:, 0] = True
    number = begins.flatten().cumsum(0).view_as(starts) - 1
    time = torch.arange(starts.shape[1], device=starts.device).expand_as(starts)
    place = time - torch.where(begins, time, 0).cummax(1).values
    return Pieces(number, place, number[:, 0], int(number[-1, -1]) + 1, int(place.max()) + 1)


class Recurrent(nn.Module):
    """Observations to `outputs` numbers each: a dense layer of `width` units, an LSTM of `hidden`, a dense layer."""

    def __init__(self, observations: int, outputs: int, *, width: int, hidden: int, gain: float):
        super().__init__()
        self.seeing = nn.Linear(observations, width)
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.acting = nn.Linear(hidden, outputs)
        nn.init.orthogonal_(self.seeing.weight, math.sqrt(2))
        nn.init.orthogonal_(self.acting.weight, gain)
        for bias in (self.seeing.bias, self.acting.bias):
            nn.init.zeros_(bias)
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight"):
                for gate in parameter.data.chunk(4):
                    nn.init.orthogonal_(gate)
            else:
                nn.init.zeros_(parameter)

    def forward(self, observation: Tensor, cut: Pieces, h: Tensor, c: Tensor) -> Tensor:
        """(N, T, outputs) of observations (N, T, D) and the state (N, H) before them, zeros where an episode begins."""
        return self.acting(self._through_lstm(self.seeing(observation).tanh(), cut, h, c))

    @full_precision
    def _through_lstm(self, seen: Tensor, cut: Pieces, h: Tensor, c: Tensor) -> Tensor:
        packed = seen.new_zeros(cut.count, cut.longest, seen.shape[2])
        packed = packed.index_put((cut.number, cut.place), seen)
        start = [each.new_zeros(cut.count, each.shape[1]).index_copy(0, cut.first, each)[None] for each in (h, c)]
        made, _ = self.lstm(packed, (start[0], start[1]))
        return made[cut.number, cut.place]

    def step(self, observation: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, outputs) and the next state, of one observation (N, D) each: the equations above."""
        h, c = self._step_of_lstm(self.seeing(observation).tanh(), h, c)
        return self.acting(h), h, c

    @full_precision
    def _step_of_lstm(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        w, u, b, b_h = self.lstm.all_weights[0]
        gates = nn.functional.linear(x, w, b) + nn.functional.linear(h, u, b_h)
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class RecurrentActorCritic(nn.Module):
    """What the policy and the value make of sequences of observations. `policy` gives the logits of A actions or, if
    `continuous`, the means of A numbers, whose standard deviations are exp(`log_std`)."""

    def __init__(self, observations: int, actions: int, *, continuous: bool = False, width: int = 64, hidden: int = 64):
        super().__init__()
        self.hidden = hidden
        self.policy = Recurrent(observations, actions, width=width, hidden=hidden, gain=0.01)
        self.value = Recurrent(observations, 1, width=width, hidden=hidden, gain=1.0)
        self.log_std = nn.Parameter(torch.zeros(actions)) if continuous else None

    def forward(self, observation: Tensor, starts: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, A) and values (N, T) of observations (N, T, D). `h` and `c` are the state before the first of them;
        where `starts`, bool (N, T), an episode begins, and nothing of what came before is remembered."""
        going = (~starts[:, 0]).to(h.dtype)[:, None, None]
        cut, h, c = pieces(starts), h * going, c * going
        return self.policy(observation, cut, h[:, 0], c[:, 0]), self.value(observation, cut, h[:, 1], c[:, 1])[..., 0]

    def step(self, observation: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(N, A), values (N,) and the state after one observation (N, D) each."""
        made, *acted = self.policy.step(observation, h[:, 0], c[:, 0])
        value, *judged = self.value.step(observation, h[:, 1], c[:, 1])
        h, c = (torch.stack(pair, 1) for pair in zip(acted, judged, strict=True))
        return made, value[:, 0], h, c

    def empty(self, count: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """The state before `count` episodes begin."""
        zeros = torch.zeros(count, 2, self.hidden, device=device)
        return zeros, zeros.clone()
