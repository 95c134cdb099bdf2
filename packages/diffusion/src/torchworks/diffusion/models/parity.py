"""Our nets beside those of other libraries: the same keys, outputs and gradients, and what an export gives.

An architecture is a line in `ORACLES`: its name, and the function that makes the `Comparison`. The function is imported
when it is asked for, and the oracle's library within it. A test compares each line, and `diffusion models --parity`
prints all of them.
"""

import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from torchworks.shared.config import UserError, nearest
from torchworks.shared.testing import differences

_HERE = "torchworks.diffusion.models.oracles"

ORACLES: dict[str, str] = {
    "U-Net": f"{_HERE}.diffusers_nets:unet",
    "U-Net, attention, 3 levels": f"{_HERE}.diffusers_nets:unet_attention",
    "U-Net, time added, 2 layers": f"{_HERE}.diffusers_nets:unet_time_added",
    "conditional U-Net": f"{_HERE}.diffusers_nets:conditional_unet",
    "conditional U-Net, linear, vector": f"{_HERE}.diffusers_nets:conditional_unet_vector",
    "DiT": f"{_HERE}.diffusers_nets:dit",
    "autoencoder": f"{_HERE}.diffusers_nets:autoencoder",
    "text encoder": f"{_HERE}.torch_encoder:text_encoder",
}
"""Where the comparison of each architecture is made, as "module:function"."""

Sizes = Mapping[str, int]
COMPARED: Sizes = {"N": 3, "H": 8, "W": 8, "L": 5}
"""Rows, height, width and tokens of the inputs of both nets."""
CAPTURED: Sizes = {"N": 2, "H": 18, "W": 20, "L": 6}
"""The same of the example that an export is made with, none of which an export is compared at."""
ROWS = (1, 3, 5)
"""Rows at which exports are compared."""


@dataclass(frozen=True)
class Comparison:
    """One of our nets and its oracle, both with the same options and without dropout.

    Both have random weights, as `torchworks.shared.testing.randomize` gives them: a new net of ours answers 0."""

    oracle: str
    """What it is called in its library, such as "diffusers.UNet2DModel"."""
    ours: nn.Module
    reference: nn.Module
    make: Callable[[Sizes], tuple[Tensor, ...]]
    """Inputs of both nets for sizes by name. Floats are float32; precisions are changed later."""
    axes: tuple[dict[int, str], ...]
    """Of each input, the names of its open sizes: {0: "N", 2: "H", 3: "W"}."""
    exported: tuple[Sizes, ...]
    """Sizes besides N at which exports are compared, the smallest first: no export is for smaller ones."""
    key_map: Callable[[str], str] | None = None
    """From a key of the reference to ours."""

    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        """Inputs of all sizes at which exports are compared."""
        for rows, sizes in product(ROWS, self.exported):
            yield self.make({"N": rows, **sizes})

    def dynamic_shapes(self) -> tuple[dict[int, torch.export.Dim], ...]:
        least = {"N": 1, **self.exported[0]}
        names = {name for axes in self.axes for name in axes.values()}
        dims = {name: torch.export.Dim(name, min=least[name]) for name in names}
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
    """The program of torch.export, captured twice, at 1, 3 and 5 rows and three other sizes."""
    onnx: float | None
    """The same in ONNX Runtime; None if that or the exporter is not installed."""
    smallest: str
    """The smallest size for which it was exported, such as "H ≥ 5, W ≥ 5"."""


def comparison(name: str) -> Comparison:
    """The comparison of the architecture `name`. Raises `UserError` for an unknown name, and where the oracle's library
    is not installed."""
    if name not in ORACLES:
        raise UserError(f"No oracle is known for '{name}'.{nearest(name, ORACLES)} Known: {'; '.join(ORACLES)}.")
    module, _, function = ORACLES[name].partition(":")
    try:
        return getattr(importlib.import_module(module), function)()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("torchworks"):
            raise
        raise UserError(
            f"The oracle of '{name}' is in the package {error.name}, which is not installed: install it, and ask again."
        ) from error


def measure(name: str) -> Parity:
    """Compare the architecture `name` with its oracle, in every way the table has."""
    found = comparison(name)
    sizes = list(differences(found.ours, found.reference, found.make(COMPARED), key_map=found.key_map))

    def largest(kind: str, dtype: torch.dtype) -> float:
        return max(each.size for each in sizes if (each.kind, each.dtype) == (kind, dtype))

    return Parity(
        oracle=found.oracle,
        keys=len(found.ours.state_dict()),
        fp32_outputs=largest("output", torch.float32),
        fp64_outputs=largest("output", torch.float64),
        fp64_gradients=largest("gradient", torch.float64),
        exported=max(exported_difference(found) for _ in range(2)),
        onnx=onnx_difference(found),
        smallest=", ".join(f"{name} ≥ {size}" for name, size in found.exported[0].items()),
    )


# -------------------------------------------------------------------------------------------------------- exports


def exported_difference(found: Comparison) -> float:
    """How far an exported program is from the net, at all sizes; it is captured at another."""
    return _difference(found, captured(found).module())


def captured(found: Comparison) -> torch.export.ExportedProgram:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of what it does itself
        return torch.export.export(
            found.ours.float().eval(), found.make(CAPTURED), dynamic_shapes=found.dynamic_shapes()
        )


def onnx_difference(found: Comparison) -> float | None:
    """The same of the ONNX graph in ONNX Runtime; None if what it takes is not installed."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        return None
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(captured(found), dynamo=True, opset_version=20, external_data=False, verbose=False)
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
            assert b.any(), "an output that is 0 everywhere compares nothing: new nets answer so"
            largest = max(largest, float((a.double() - b.double()).abs().max() / b.abs().max()))
    return largest
