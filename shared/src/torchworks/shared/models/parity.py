"""Nets beside those of other libraries: the same keys, outputs and gradients, and what an export gives.

A package lists its oracles, by name the function that makes a `Comparison`, as "module:function". The function is
imported when it is asked for, and the oracle's library within it. `parity_table.py` beside this file makes a table of
them.
"""

import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from torchworks.shared.config import UserError, nearest
from torchworks.shared.testing import differences

Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Comparison:
    """One of our nets and its oracle, both with the same options and without dropout. A package says in a subclass at
    which sizes they are compared."""

    oracle: str
    """What it is called in its library, such as "torch.nn.LSTM"."""
    ours: nn.Module
    reference: nn.Module
    """With random weights; `torchworks.shared.testing.randomize` gives some."""
    make: Callable[[Sizes], tuple[Tensor, ...]]
    """Inputs of both nets for sizes by name. Floats are float32; precisions are changed later."""
    axes: tuple[dict[int, str], ...]
    """Of each input, the names of its open sizes: {0: "N", 1: "T"}. "N" counts rows."""
    key_map: Callable[[str], str] | None = None
    """From a key of the reference to ours."""
    fp64_tol: float = 1e-9
    """Largest difference in float64, in units of the largest output or gradient."""

    def compared(self) -> tuple[Tensor, ...]:
        """Inputs of both nets."""
        return self.example()

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of a size at which no export is compared, to capture one by."""
        raise NotImplementedError

    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        """Inputs of all sizes at which exports are compared."""
        raise NotImplementedError

    def least(self, name: str) -> int:
        """The smallest size of this name that an export is for."""
        return 1

    def most(self, name: str) -> int | None:
        """The largest, if the net has one."""
        return None

    def check(self, output: Tensor) -> None:
        """Raise `AssertionError` if an output of ours compares nothing."""

    def dynamic_shapes(self) -> tuple[dict[int, torch.export.Dim], ...]:
        names = dict.fromkeys(name for axes in self.axes for name in axes.values())
        dims = {name: torch.export.Dim(name, min=self.least(name), max=self.most(name)) for name in names}
        return tuple({i: dims[name] for i, name in axes.items()} for axes in self.axes)


@dataclass(frozen=True)
class Parity:
    """Largest differences from the oracle, in units of its largest output or gradient. Of exports: from our own net."""

    oracle: str
    keys: int
    """Tensors of the state_dict; loaded strictly both ways."""
    fp32_outputs: float
    fp64_outputs: float
    fp64_gradients: float
    exported: float
    """The program of torch.export, captured twice, at all sizes of `Comparison.cases`."""
    onnx: float | None
    """The same in ONNX Runtime; None if that or the exporter is not installed."""


def find_comparison(name: str, oracles: Mapping[str, str]) -> Any:
    """The comparison of the architecture `name`. Raises `UserError` for an unknown name, and where the oracle's library
    is not installed."""
    if name not in oracles:
        raise UserError(f"No oracle is known for '{name}'.{nearest(name, oracles)} Known: {'; '.join(oracles)}.")
    module, _, function = oracles[name].partition(":")
    try:
        return getattr(importlib.import_module(module), function)()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("torchworks"):
            raise
        raise UserError(
            f"The oracle of '{name}' is in the package {error.name}, which is not installed: install it, and ask again."
        ) from error


def measure(found: Comparison) -> Parity:
    """Compare a net with its oracle, in every way the table has."""
    sizes = list(differences(found.ours, found.reference, found.compared(), key_map=found.key_map))

    def largest(kind: str, dtype: torch.dtype) -> float:
        return max(each.size for each in sizes if (each.kind, each.dtype) == (kind, dtype))

    programs = [captured(found) for _ in range(2)]
    return Parity(
        oracle=found.oracle,
        keys=len(found.ours.state_dict()),
        fp32_outputs=largest("output", torch.float32),
        fp64_outputs=largest("output", torch.float64),
        fp64_gradients=largest("gradient", torch.float64),
        exported=max(exported_difference(found, program) for program in programs),
        onnx=onnx_difference(found, programs[-1]),
    )


class On(nn.Module):
    """`call` on a net, as a module whose inputs are tensors."""

    def __init__(self, net: nn.Module, call: Callable):
        super().__init__()
        self.net, self.call = net, call

    def forward(
        self, x: Tensor, time: Tensor | None = None, third: Tensor | None = None, fourth: Tensor | None = None,
        fifth: Tensor | None = None,
    ) -> Any:  # fmt: skip
        return self.call(self.net, *(each for each in (x, time, third, fourth, fifth) if each is not None))

    def named_buffers(self, *args: Any, **options: Any) -> Iterator[tuple[str, Tensor]]:
        """Those that are kept with the weights."""
        kept = self.state_dict().keys()
        return ((name, value) for name, value in super().named_buffers(*args, **options) if name in kept)


# -------------------------------------------------------------------------------------------------------- exports


def exported_difference(found: Comparison, program: torch.export.ExportedProgram | None = None) -> float:
    """How far an exported program, by default a new one, is from the net, at all sizes; it is captured at another."""
    return _difference(found, (program or captured(found)).module())


def captured(found: Comparison) -> torch.export.ExportedProgram:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of what it does itself
        return torch.export.export(found.ours.float().eval(), found.example(), dynamic_shapes=found.dynamic_shapes())


def onnx_difference(found: Comparison, program: torch.export.ExportedProgram | None = None) -> float | None:
    """The same of the program's ONNX graph in ONNX Runtime; None if what it takes is not installed."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        return None
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program or captured(found), dynamo=True, opset_version=20, external_data=False, verbose=False
        )
    assert made is not None, "torch.onnx.export(dynamo=True) returns a program"
    file = io.BytesIO(made.model_proto.SerializeToString())
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(*inputs: Tensor) -> list[Tensor]:
        arrays = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        return [torch.from_numpy(each) for each in session.run(None, arrays)]

    return _difference(found, run)


@torch.no_grad()
def _difference(found: Comparison, run: Callable[..., Any]) -> float:
    """The largest difference of an output, in units of the largest of its case. A frozen size raises an error in `run`
    or gives outputs of other shapes."""
    largest = 0.0
    for inputs in found.cases():
        wanted, given = tree_leaves(found.ours(*inputs)), tree_leaves(run(*inputs))
        for a, b in zip(given, wanted, strict=True):
            assert a.shape == b.shape, f"an export gives {tuple(a.shape)} instead of {tuple(b.shape)}"
            found.check(b)
            a, b = a.double(), b.double()  # a mask is bool
            scale = float(b.abs().max().clamp_min(1e-12))
            largest = max(largest, float((a - b).abs().max()) / scale)
    return largest
