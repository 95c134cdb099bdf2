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

There are three ways through time, with equal results:

- `forward` calls the operator of PyTorch in which all moments are one call (cuDNN on a GPU). It is as fast as torch.nn.
- `by_equations` is the loop over `equations` that a textbook has. Tests compare the other two ways with it.
- Under `torch.export`, `forward` is the same loop as one `scan`, since a loop in Python would be unrolled to as many
  moments as the example has.

What differs from the papers: the LSTM has a forget gate (Gers et al. 2000) and no peepholes, as torch.nn; see `GRU` for
its reset gate. What differs from torch.nn: rows of different lengths are given by `lengths` instead of a
`PackedSequence`, and a row of length 0 keeps its state.

Shape letters: N rows, T moments, C numbers of an input, H of a state, P of an output (H, or `proj_size`), L layers, D
directions (1 or 2), G gates (RNN 1, LSTM 4, GRU 3).
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import _VF, Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.utils._pytree import tree_map

State = tuple[Tensor, ...]
Step = Callable[[State, tuple[Tensor, ...]], tuple[State, Tensor]]
"""State and inputs of a moment → the next state and the output."""
OverTime = Callable[[Step, State, tuple[Tensor, ...]], tuple[State, Tensor]]
"""A step, the first state and the inputs of all moments (T, …) → the last state and all outputs (T, …)."""


class Weights(NamedTuple):
    """Of one layer in one direction."""

    weight_ih: Tensor
    """W (G·H, C) of the input."""
    weight_hh: Tensor
    """U (G·H, P) of the state."""
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    """Two biases (G·H,) as cuDNN has them. They are added, so that one would do, but in the GRU's gate n."""
    weight_hr: Tensor | None = None
    """The projection (P, H) of an LSTM's state."""


class Recurrent(nn.Module):
    """What RNN, LSTM and GRU have in common: layers, directions, lengths, and the way through time.

    The arguments are torch.nn's. `dropout` is applied between layers in training. A new layer has torch.nn's weights of
    the same seed, uniform in ±1/√H.
    """

    weight_ih_l0: nn.Parameter
    gates: ClassVar[int]
    states: ClassVar[int] = 1
    """Tensors that a state consists of: 2 of an LSTM, h and c."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        if min(input_size, hidden_size, num_layers) < 1:
            raise ValueError(f"sizes and layers must be at least 1, but they are {input_size, hidden_size, num_layers}")
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"proj_size must be less than hidden_size = {hidden_size}, but it is {proj_size}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must be a share from 0 to 1, but it is {dropout}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, dropout
        self.bidirectional, self.proj_size = bidirectional, proj_size
        for layer in range(num_layers):
            for direction in range(self.directions):
                for name, shape in self._shapes(layer).items():
                    made = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(name + self._suffix(layer, direction), made)
        self._names = tuple(self._parameters)
        self.reset_parameters()

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Numbers of an output in one direction: P."""
        return self.proj_size or self.hidden_size

    def _shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        """The shapes of a layer's parameters in one direction, in the order in which PyTorch's operator takes them."""
        rows = self.gates * self.hidden_size
        inputs = self.input_size if layer == 0 else self.output_size * self.directions
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, self.output_size)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.proj_size:
            shapes |= {"weight_hr": (self.proj_size, self.hidden_size)}
        return shapes

    @staticmethod
    def _suffix(layer: int, direction: int) -> str:
        return f"_l{layer}" + ("_reverse" if direction else "")

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            parameter.uniform_(-bound, bound)

    def weights(self, layer: int, direction: int = 0) -> Weights:
        """Of one layer; `direction` 1 is the one that reads from the end."""
        suffix = self._suffix(layer, direction)
        return Weights(**{name: getattr(self, name + suffix) for name in self._shapes(layer)})

    # ------------------------------------------------------------------------------------------------- equations

    @staticmethod
    def input_part(x: Tensor, weights: Weights) -> Tensor:
        """What the inputs x (T, N, C) of all moments contribute to the gates: (T, N, G·H)."""
        raise NotImplementedError

    @staticmethod
    def equations(inputs: Tensor, state: State, weights: Weights) -> State:
        """One moment: the moment's `input_part` (N, G·H) and the state → the next state. Its first tensor, (N, P), is
        the layer's output too."""
        raise NotImplementedError

    # --------------------------------------------------------------------------------------------------- forward

    def forward(self, x: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Inputs x (T, N, C), or (N, T, C) if `batch_first` → outputs (T, N, D·P), or (N, T, D·P), and the last state.

        `state` is h (L·D, N, P), or of an LSTM the pair of h and c (L·D, N, H); zeros if it is not given. What is
        returned is of the same kind, and continues the sequence when given to the next call.

        `lengths`, int64 (N,) from 0 to T, says how many moments of each row are real. Outputs beyond them are 0; the
        last state is that at the row's own end, and the direction from the end begins there. On a GPU, lengths that lie
        on the CPU spare the device a wait.
        """
        self._check(x)
        if x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):  # oneDNN has an LSTM in bf16 for some CPUs only; and no gain
                return self.forward(self._plain(x), self._plain(state), lengths)
        if torch.compiler.is_exporting():
            return self.by_equations(x, state, lengths, over_time=scan)
        given = self._tensors(state, x)
        output, last = self._fused(x, given) if lengths is None else self._packed(x, given, lengths)
        return output, self._kind(last)

    def _plain(self, tensors: Any) -> Any:
        """In the dtype of the weights."""
        return None if tensors is None else tree_map(lambda each: each.to(self.weight_ih_l0.dtype), tensors)

    def _check(self, x: Tensor) -> None:
        if x.ndim != 3 or x.shape[2] != self.input_size:
            shape = "(N, T, C)" if self.batch_first else "(T, N, C)"
            raise ValueError(f"the input must be {shape} with C = {self.input_size}, but it is {tuple(x.shape)}")

    def _tensors(self, state: Any, x: Tensor) -> State:
        """The state as a tuple; zeros for None."""
        if state is not None:
            return (state,) if isinstance(state, Tensor) else tuple(state)
        layers, rows = self.num_layers * self.directions, x.shape[0 if self.batch_first else 1]
        sizes = (self.output_size, self.hidden_size)[: self.states]
        return tuple(x.new_zeros(layers, rows, size) for size in sizes)

    def _kind(self, state: State) -> Any:
        """As torch.nn returns a state."""
        return state if self.states > 1 else state[0]

    # -------------------------------------------------------------------------------------- by PyTorch's operator

    def _operator(self) -> Callable[..., Any]:
        """All layers and moments in one call."""
        raise NotImplementedError

    def _call(self, x: Tensor, sizes: Tensor | None, state: State) -> tuple[Tensor, State]:
        """`sizes` (T,) are numbers of rows of each moment if x (ΣT, C) is packed."""
        weights = [getattr(self, name) for name in self._names]
        options = (self.bias, self.num_layers, float(self.dropout), self.training, self.bidirectional)
        given = self._kind(state)
        if sizes is None:
            output, *last = self._operator()(x, given, weights, *options, self.batch_first)
        else:
            output, *last = self._operator()(x, sizes, given, weights, *options)
        return output, tuple(last)

    def _fused(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return self._call(x, None, state)

    def _packed(self, x: Tensor, state: State, lengths: Tensor) -> tuple[Tensor, State]:
        """Rows of different lengths: only real moments are computed."""
        some = lengths.cpu().clamp(min=1)  # a packed row has at least one moment
        packed = pack_padded_sequence(x, some, self.batch_first, enforce_sorted=False)
        order, back = packed.sorted_indices, packed.unsorted_indices
        assert order is not None, "rows are sorted"
        assert back is not None, "rows are sorted"
        found, last = self._call(packed.data, packed.batch_sizes, tuple(each[:, order] for each in state))
        total = x.shape[1 if self.batch_first else 0]
        whole = PackedSequence(found, packed.batch_sizes, order, back)
        output, _ = pad_packed_sequence(whole, self.batch_first, total_length=total)
        last = tuple(each[:, back] for each in last)
        if torch.jit.is_tracing() or lengths.amin() == 0:
            real = (lengths > 0).to(x.device)[:, None]  # (N, 1)
            output = output * (real[..., None] if self.batch_first else real)
            last = tuple(torch.where(real, new, old) for new, old in zip(last, state, strict=True))
        return output, last

    # ---------------------------------------------------------------------------------------------- by equations

    def by_equations(
        self, x: Tensor, state: Any = None, lengths: Tensor | None = None, *, over_time: "OverTime | None" = None
    ) -> tuple[Tensor, Any]:
        """As `forward`, by `equations` alone: layer by layer, direction by direction, moment by moment."""
        first = self._tensors(state, x)
        x = x.transpose(0, 1) if self.batch_first else x  # (T, N, C)
        real = None if lengths is None else real_moments(lengths, x)
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer > 0:
                x = F.dropout(x, self.dropout, self.training)
            outputs = []
            for direction in range(self.directions):
                begin = tuple(each[len(last)] for each in first)
                output, end = self._direction(x, begin, real, self.weights(layer, direction), direction, over_time)
                outputs.append(output)
                last.append(end)
            x = torch.cat(outputs, 2)  # (T, N, D·P)
        output = x.transpose(0, 1) if self.batch_first else x
        return output, self._kind(tuple(torch.stack(each) for each in zip(*last, strict=True)))

    def _direction(
        self, x: Tensor, state: State, real: Tensor | None, weights: Weights, direction: int, over_time: OverTime | None
    ) -> tuple[Tensor, State]:
        """One layer in one direction: x (T, N, C) → outputs (T, N, P) and the last state.

        The direction from the end reads the moments in reverse. Padding then comes first, and as no state changes in
        padding, each row begins at its own end.
        """

        def step(state: State, each: tuple[Tensor, ...]) -> tuple[State, Tensor]:
            new = self.equations(each[0], state, weights)
            if len(each) == 1:
                return new, new[0].clone()  # scan wants outputs that are no part of the state
            new = tuple(torch.where(each[1], a, b) for a, b in zip(new, state, strict=True))
            return new, new[0] * each[1]

        inputs = self.input_part(x, weights)
        moments = (inputs,) if real is None else (inputs, real)
        if direction:
            moments = tuple(each.flip(0) for each in moments)
        last, output = (over_time or loop)(step, state, moments)
        return (output.flip(0) if direction else output), last


def real_moments(lengths: Tensor, x: Tensor) -> Tensor:
    """Which moments of x (T, N, …) are real: bool (T, N, 1)."""
    return (torch.arange(x.shape[0], device=x.device)[:, None] < lengths.to(x.device))[..., None]


def loop(step: Step, state: State, moments: tuple[Tensor, ...]) -> tuple[State, Tensor]:
    """The plain loop over time.

    `unbind` takes a tensor apart once. An index in each step, x[t], would cost the square of T in the backward pass:
    its gradient is a tensor as large as x, of zeros but for one moment.
    """
    outputs = []
    for each in zip(*(every.unbind(0) for every in moments), strict=True):
        state, output = step(state, each)
        outputs.append(output)
    return state, torch.stack(outputs)


def scan(step: Step, state: State, moments: tuple[Tensor, ...]) -> tuple[State, Tensor]:
    """The loop as one operator of a graph, for any number of moments."""
    from torch._higher_order_ops import scan as scan_operator

    return scan_operator(step, tuple(state), moments)


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
        super().__init__(
            input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first, dropout=dropout,
            bidirectional=bidirectional, device=device, dtype=dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity
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

    gates, states = 4, 2

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

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__(
            input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first, dropout=dropout,
            bidirectional=bidirectional, device=device, dtype=dtype,
        )  # fmt: skip

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
