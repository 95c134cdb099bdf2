"""What runs a model: ONNX Runtime, or PyTorch, which is imported only for the formats that need it.

engine = open_engine(bundle, threads=2)
outputs = engine.run({"image": images})        # arrays by the names of the signature
"""

from typing import Protocol

import numpy as np

from torchworks.serving.bundle import Bundle
from torchworks.serving.denoising.graph import StepEngine
from torchworks.serving.formats import CODE_FORMATS
from torchworks.serving.generation.graph import StatefulEngine
from torchworks.serving.parity_rules import OutputParity, compare
from torchworks.shared.config import UserError
from torchworks.shared.models.generation import replay


class Engine(Protocol):
    """A loaded model. `run` may be called from one thread at a time; arrays have the signature's names, types and
    shapes."""

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]: ...


def open_engine(bundle: Bundle, *, threads: int = 1, device: str = "cpu", trust_code: bool = False) -> Engine:
    """The engine for the format of `bundle`. Raises `UserError` for a model that does not open, a library that is not
    installed, and, without `trust_code`, for formats that can run code when opened."""
    engine = _open(bundle, threads, device, trust_code)
    if bundle.manifest.denoising is not None:
        return StepEngine(engine, bundle.manifest.denoising)
    return engine if bundle.manifest.generation is None else StatefulEngine(engine, bundle.manifest.generation)


def _open(bundle: Bundle, threads: int, device: str, trust_code: bool) -> Engine:
    form = bundle.manifest.form
    if form in CODE_FORMATS and not trust_code:
        raise UserError(
            f"{bundle.model} has the format {form}, and opening one can run code that its maker put there. If "
            "you trust its maker, add --trust-code; else export the run as onnx or safetensors."
        )
    if form == "onnx":
        from torchworks.serving.onnx_engine import OnnxEngine

        return OnnxEngine(bundle, threads=threads, device=device)
    try:
        from torchworks.serving.torch_engine import open_torch
    except ModuleNotFoundError as error:
        raise UserError(
            f"{bundle.model} has the format {form}, which needs PyTorch, and '{error.name}' is not installed. "
            "Install serving[export], or use a bundle of the format onnx."
        ) from error
    return open_torch(bundle, threads=threads, device=device)


def check_golden(bundle: Bundle, engine: Engine) -> float:
    """Run the golden example; returns the largest difference of numbers. Raises `UserError` unless all outputs are the
    same within the bundle's tolerance, by the rules of `parity_rules.py`."""
    inputs, wanted = bundle.golden()
    outputs = engine.run(inputs)
    for name, value in wanted.items():
        if name not in outputs or outputs[name].shape != value.shape:
            raise UserError(f"The model in {bundle.folder} gives no output '{name}' of the shape {value.shape}.")
    tolerance, largest = bundle.manifest.tolerance, 0.0
    for found in compare(bundle.manifest.signature, wanted, outputs, tolerance):
        if not found.same:
            raise _differs(bundle, found)
        largest = max(largest, found.largest)
    return max(largest, _check_steps(bundle, engine)) if isinstance(engine, StatefulEngine) else largest


def _check_steps(bundle: Bundle, engine: StatefulEngine) -> float:
    """The same of the steps that follow the golden example of a generator."""
    inputs, _ = bundle.golden()
    (tokens, wanted), tolerance = bundle.golden_steps(), bundle.manifest.tolerance
    found = replay(engine.advance, engine.spec, inputs["text"], inputs["length"], tokens)
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=tolerance, atol=tolerance):
        raise UserError(
            f"The model in {bundle.folder} does not replay the steps that follow its golden example. The file is not "
            "what was exported, or this machine computes differently."
        )
    return float(np.abs(found - wanted).max())


def _differs(bundle: Bundle, found: OutputParity) -> UserError:
    how = f"'{found.output}' differs by {found.largest:.3g}, allowed is {bundle.manifest.tolerance:g}"
    if found.share is not None:
        how = f"of '{found.output}', {found.share:.2%} of {found.count} {found.what} are the same"
    return UserError(
        f"The model in {bundle.folder} does not replay its golden example: {how}. The file is not what was exported, "
        "or this machine computes differently."
    )
