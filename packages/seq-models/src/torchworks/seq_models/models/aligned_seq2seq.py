"""A recurrent net that turns letters into sounds, one place after the other.

Yao & Zweig 2015, "Sequence-to-Sequence Neural Net Models for Grapheme-to-Phoneme Conversion" (arXiv:1506.00196),
section 3.3: "Bi-directional Models", their best.

The idea: where it is known which letters make which sounds, no attention has to find it out. At each letter the net
says the letter's unit: no sound, one or two. It has read the word from both sides, and it reads its own answers so far,
so that they go together.

    h_t = [h→_t, h←_t]                                       the letters, read from both ends
    s_t = LSTM([h_t, E u_{t−1}], s_{t−1})                    u_{t−1}: the unit of the letter before
    p(u_t | letters, u_1 … u_{t−1}) = softmax(W s_t + b)     their equation 3, the sounds in place of the words

What differs from the paper: each of the encoder's layers sees both directions of the one below, and the units come from
expectation maximization (`pronunciation/alignment.py`).

Padding, of letter 0 at a word's end, changes nothing: the direction from the end reads each row turned around within
its own length, so that its padding is at the end too, where nothing real follows.

On a CPU that computes in bf16, LSTMs do so under autocast: without lengths oneDNN has one call for them, which takes
half the time.

Shape letters: N words, T letters, E embed_dim, H hidden_dim, D decoder_dim, U units.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.padding import lengths_of
from torchworks.seq_models.models.recurrent import new_layers
from torchworks.seq_models.models.recurrent_base import Recurrent, State, Weights, loop, scan
from torchworks.shared.machine.device import BF16_FLAGS
from torchworks.shared.machine.facts import cpu_flags

PADDING = 0
"""Of letters; of units, also what stands before the first."""


class AlignedSeq2Seq(nn.Module):
    """Letters, int64 (N, T) in [0, `letters`), padded with 0 at their end, and the units of these letters, int64 (N, T)
    in [0, `units`) → logits (N, T, U) of each letter's unit, by the letters and the units before it."""

    def __init__(
        self,
        letters: int,
        units: int,
        *,
        embed_dim: int = 64,
        hidden_dim: int = 192,
        decoder_dim: int = 256,
        depth: int = 2,
        drop_rate: float = 0.2,
    ):
        super().__init__()
        self.letters = nn.Embedding(letters, embed_dim)
        self.units = nn.Embedding(units, embed_dim)
        sizes = [embed_dim, *[2 * hidden_dim] * (depth - 1)]
        self.forwards = nn.ModuleList(new_layers("lstm", size, hidden_dim) for size in sizes)
        self.backwards = nn.ModuleList(new_layers("lstm", size, hidden_dim) for size in sizes)
        self.decoder = new_layers("lstm", 2 * hidden_dim + embed_dim, decoder_dim)
        self.output = nn.Linear(decoder_dim, units)
        self.dropout = nn.Dropout(drop_rate)
        self.decoder_dim = decoder_dim

    def forward(self, letters: Tensor, units: Tensor) -> Tensor:
        before = F.pad(units[:, :-1], (1, 0), value=PADDING)
        inputs = torch.cat([self.encode(letters), self.units(before)], 2)
        return self.output(self.dropout(_over_time(self.decoder, inputs)))

    def encode(self, letters: Tensor) -> Tensor:
        """(N, T, 2H): of each letter, what stands before and after it."""
        places = turn(lengths_of(letters), letters.shape[1])
        x = self.dropout(self.letters(letters))
        for forwards, backwards in zip(self.forwards, self.backwards, strict=True):
            from_end = _placed(_over_time(backwards, _placed(x, places)), places)
            x = self.dropout(torch.cat([_over_time(forwards, x), from_end], 2))
        return x

    def first(self, rows: int, like: Tensor) -> State:
        """The decoder's state before the first letter of so many rows: h and c (N, D)."""
        zeros = like.new_zeros(rows, self.decoder_dim)
        return zeros, zeros.clone()

    def step(self, encoded: Tensor, before: Tensor, state: State) -> tuple[Tensor, State]:
        """One letter: its encoding (N, 2H), the unit before it, int64 (N,), and the state → log-probabilities (N, U) of
        its unit, and the next state."""
        weights: Weights = self.decoder.weights(0)
        inputs = self.decoder.input_part(torch.cat([encoded, self.units(before)], 1), weights)
        state = self.decoder.equations(inputs, state, weights)
        logits = self.output(state[0]).float()
        real = torch.arange(logits.shape[1], device=logits.device) != PADDING
        return logits.masked_fill(~real, torch.finfo(logits.dtype).min).log_softmax(1), state

    def greedy(self, letters: Tensor) -> tuple[Tensor, Tensor]:
        """The likeliest unit of each letter after those before, int64 (N, T), and the log-probability (N,) of all. 0 at
        padding. For a graph of any length it is a scan."""
        real = letters != PADDING
        moments = (self.encode(letters).transpose(0, 1), real.t()[..., None])

        def step(state: State, moment: tuple[Tensor, ...]) -> tuple[State, Tensor]:
            h, c, before, total = state
            logs, (h, c) = self.step(moment[0], before[:, 0], (h, c))
            best, unit = logs.max(1, keepdim=True)  # (N, 1)
            unit = torch.where(moment[1], unit, PADDING)
            return (h, c, unit, total + torch.where(moment[1], best, 0.0)), unit.clone()

        rows, like = letters.shape[0], self.output.bias  # len() would fix it in an export
        beginning = (*self.first(rows, like), letters.new_zeros(rows, 1), like.new_zeros(rows, 1))
        last, units = (scan if torch.compiler.is_exporting() else loop)(step, beginning, moments)
        return units[..., 0].t(), last[3][:, 0]


def turn(lengths: Tensor, size: int) -> Tensor:
    """The place that each of `size` places has when each row is turned around within its length: int64 (N, size)."""
    places = torch.arange(size, device=lengths.device)
    return torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)


def _placed(x: Tensor, places: Tensor) -> Tensor:
    """x (N, T, C) with what stands at `places` (N, T)."""
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[2]))


def _over_time(layer: nn.Module, x: Tensor) -> Tensor:
    """The outputs (N, T, H) of a recurrent layer for x (N, T, C)."""
    assert isinstance(layer, Recurrent)
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and computes_in_bf16():
        return layer._by_operator(x, None, None)[0]
    return layer(x)[0]


@cache
def computes_in_bf16() -> bool:
    """Whether this CPU has instructions for it."""
    return any(flag in cpu_flags() for flag in BF16_FLAGS)
