"""What recurrent layers have in common: parameters, layers, directions, lengths, and three ways through time.

Of a layer only its equations differ; `recurrent.py` has them. Here is how they are applied:

- `forward` calls the operator of PyTorch in which all moments are one call (cuDNN on a GPU). It is as fast as torch.nn.
- `by_equations` is the loop over `equations` that a textbook has. Tests compare the other two ways with it.
- Under `torch.export`, `forward` is the same loop as one `scan`, since a loop in Python would be unrolled to as many
  moments as the example has.

Shape letters: N rows, T moments, C numbers of an input, H of a state, P of an output (H, or `proj_size`), L layers, D
directions (1 or 2), G gates (RNN 1, LSTM 4, GRU 3).
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
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
    mode: str
    """Of cuDNN."""
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
        if proj_size and self.states == 1:
            raise ValueError(f"proj_size is for an LSTM, and a {type(self).__name__} has none")
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
        self.flatten_parameters()

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

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Recurrent":
        """Of `to`, `cuda`, `double` and the like, which give new weights."""
        super()._apply(fn, recurse)
        self.flatten_parameters()
        return self

    @torch.no_grad()
    def flatten_parameters(self) -> None:
        """Put all weights into one piece of memory, as cuDNN wants them: elsewhere it copies them at each call, and
        warns. On a CPU nothing is done."""
        weights = [getattr(self, name) for name in self._names]
        if not all(each.is_cuda and torch.backends.cudnn.is_acceptable(each) for each in weights):
            return
        if len({each.dtype for each in weights}) > 1 or len({each.data_ptr() for each in weights}) < len(weights):
            return
        from torch.backends.cudnn import rnn

        with torch.cuda.device_of(weights[0]):
            torch._cudnn_rnn_flatten_weight(
                weights, len(self._shapes(0)), self.input_size, rnn.get_cudnn_mode(self.mode), self.hidden_size,
                self.proj_size, self.num_layers, self.batch_first, self.bidirectional,
            )  # fmt: skip

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
        if torch.compiler.is_compiling():  # which would unroll the operator to its moments, and take minutes
            return torch.compiler.disable(self._by_operator)(x, state, lengths)
        return self._by_operator(x, state, lengths)

    def _by_operator(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, Any]:
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
    """The loop as one operator of a graph, for any number of moments.

    The operator compiles the step, and asks first whether what it compiled for an earlier export fits. If that had a
    fixed length, the answer would become a rule of this export: any length but that one. So the cache is emptied.
    """
    from torch._higher_order_ops import scan as scan_operator

    if not torch.compiler.is_dynamo_compiling():
        torch.compiler.reset()
    return scan_operator(step, tuple(state), moments)
