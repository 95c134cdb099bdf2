"""Recurrent layers, RNN, LSTM and GRU: the parameters, outputs and speed of torch.nn's, and their equations to read.

Elman 1990, "Finding Structure in Time" (RNN); Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", as written by
Graves 2013 (arXiv:1308.0850); Cho et al. 2014, "Learning Phrase Representations using RNN Encoder–Decoder"
(arXiv:1406.1078), which has the GRU; Sak et al. 2014 (arXiv:1402.1128) for the projection of an LSTM's state.

The idea: a sequence is read one moment after the other, and all that is known of the past is a state of fixed size.
Each layer's `equations` are one such moment:

    RNN    h' = tanh(W x + U h + b)
    LSTM   c' = f ⊙ c + i ⊙ g          h' = o ⊙ tanh(c')
    GRU    h' = (1 − z) ⊙ n + z ⊙ h

W x is computed for all moments at once, U h has to wait for the moment before. Gradients reach far back through the
sums of LSTM and GRU: where f or z is near 1, they pass unchanged.

`forward` is as fast as torch.nn's, and exports for sequences of any length; `by_equations` is the same as a loop over
`equations`. See `recurrent_base.py` for what the three layers have in common.

What differs from the papers: the LSTM has a forget gate (Gers et al. 2000) and no peepholes, as torch.nn; see `GRU` for
its reset gate. What differs from torch.nn: rows of different lengths are given by `lengths` instead of a
`PackedSequence`, and a row of length 0 keeps its state.

Shape letters: N rows, T moments, C numbers of an input, H of a state, P of an output (H, or `proj_size`), G gates
(RNN 1, LSTM 4, GRU 3).
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import _VF, Tensor

from torchworks.seq_models.models.recurrent_base import Recurrent, State, Weights


class RNN(Recurrent):
    """Elman's recurrent net with `nonlinearity` "tanh" or "relu".

    It forgets soon: gradients shrink or grow at each moment by the same weights.
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be 'tanh' or 'relu', but it is {nonlinearity!r}")
        self.nonlinearity, self.mode = nonlinearity, f"RNN_{nonlinearity.upper()}"
        super().__init__(
            input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first, dropout=dropout,
            bidirectional=bidirectional, device=device, dtype=dtype,
        )  # fmt: skip
        if nonlinearity == "relu":
            self.equations = self.relu_equations

    @staticmethod
    def input_part(x: Tensor, weights: Weights) -> Tensor:
        return F.linear(x, weights.weight_ih, _sum(weights.bias_ih, weights.bias_hh))

    @staticmethod
    def equations(inputs: Tensor, state: State, weights: Weights) -> State:
        """h' = tanh(W x + U h + b)."""
        (h,) = state
        return (torch.addmm(inputs, h, weights.weight_hh.t()).tanh(),)

    @staticmethod
    def relu_equations(inputs: Tensor, state: State, weights: Weights) -> State:
        """h' = max(0, W x + U h + b)."""
        (h,) = state
        return (torch.addmm(inputs, h, weights.weight_hh.t()).relu(),)

    def _operator(self) -> Callable[..., Any]:
        return _VF.rnn_tanh if self.nonlinearity == "tanh" else _VF.rnn_relu


class LSTM(Recurrent):
    """Long short-term memory: the cell c keeps what the gates let in, until the forget gate closes.

    With `proj_size` P > 0, h is a projection of that size (Sak et al. 2014), which spares weights.
    """

    mode, gates, states = "LSTM", 4, 2

    @staticmethod
    def input_part(x: Tensor, weights: Weights) -> Tensor:
        return F.linear(x, weights.weight_ih, _sum(weights.bias_ih, weights.bias_hh))

    @staticmethod
    def equations(inputs: Tensor, state: State, weights: Weights) -> State:
        """Graves 2013, equations 7 to 11, without the peepholes W_c:

        i = σ(W_i x + U_i h + b_i)                 input gate, equation 7
        f = σ(W_f x + U_f h + b_f)                 forget gate, equation 8
        g = tanh(W_c x + U_c h + b_c)
        c' = f ⊙ c + i ⊙ g                         equation 9
        o = σ(W_o x + U_o h + b_o)                 output gate, equation 10
        h' = o ⊙ tanh(c')                          equation 11
        """
        h, c = state  # (N, P), (N, H)
        i, f, g, o = torch.addmm(inputs, h, weights.weight_hh.t()).chunk(4, 1)  # (N, H) each
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h if weights.weight_hr is None else h @ weights.weight_hr.t()), c

    def _operator(self) -> Callable[..., Any]:
        return _VF.lstm

    @torch.no_grad()
    def open_forget_gates(self, bias: float = 1.0) -> None:
        """Let the cells remember at first: the forget gates' biases become `bias` in sum (Jozefowicz et al. 2015).

        A new layer, as torch.nn's, starts with gates that are half open."""
        for name in self._names:
            if name.startswith("bias"):
                forget = getattr(self, name)[self.hidden_size : 2 * self.hidden_size]
                forget.fill_(bias if name.startswith("bias_ih") else 0)


class GRU(Recurrent):
    """Gated recurrent unit: one state h, which the update gate z replaces bit by bit."""

    mode, gates = "GRU", 3

    @staticmethod
    def input_part(x: Tensor, weights: Weights) -> Tensor:
        return F.linear(x, weights.weight_ih, weights.bias_ih)  # bias_hh of n stands within r ⊙ (…)

    @staticmethod
    def equations(inputs: Tensor, state: State, weights: Weights) -> State:
        """Cho et al. 2014, equations 5 to 8:

            r = σ(W_r x + U_r h + b_r)                 reset gate, equation 5
            z = σ(W_z x + U_z h + b_z)                 update gate, equation 6
            n = tanh(W_n x + b + r ⊙ (U_n h + b'))     equation 8
            h' = (1 − z) ⊙ n + z ⊙ h                   equation 7

        In equation 8 of the paper r is multiplied before the product, U (r ⊙ h). As cuDNN and torch.nn do, it is
        multiplied after it here, so that one product serves all three gates.
        """
        (h,) = state  # (N, H)
        r_x, z_x, n_x = inputs.chunk(3, 1)
        r_h, z_h, n_h = F.linear(h, weights.weight_hh, weights.bias_hh).chunk(3, 1)
        r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
        n = (n_x + r * n_h).tanh()
        return (n + z * (h - n),)

    def _operator(self) -> Callable[..., Any]:
        return _VF.gru


KINDS: dict[str, type[Recurrent]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


def new_layers(kind: str, input_size: int, hidden_size: int, **options: Any) -> Recurrent:
    """Layers of `kind` "rnn", "lstm" or "gru" for rows first, (N, T, C). The cells of an LSTM remember at first."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, but it is {kind!r}")
    layers = KINDS[kind](input_size, hidden_size, batch_first=True, **options)
    if isinstance(layers, LSTM):
        layers.open_forget_gates()
    return layers


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return None if a is None or b is None else a + b
