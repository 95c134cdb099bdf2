"""A predictor as a file: one function for each format of bundle.

ONNX, pt2 and aoti begin with the same graph, captured by `torch.export` with every named size of the signature left
open, so that a model takes any number of rows.
"""

import contextlib
import io
import json
import logging
import os
import re
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from safetensors.torch import save
from torch import Tensor, nn

from torchworks.serving.export.source_locations import strip_compiled, strip_onnx, strip_program, strip_script
from torchworks.serving.formats import MODEL_FILES, Format
from torchworks.serving.parity_rules import compare
from torchworks.shared.config import UserError, to_dict
from torchworks.shared.models.generator import Generator
from torchworks.shared.models.manifest import GOLDEN, MANIFEST, FileEntry, Manifest
from torchworks.shared.models.predictor import Predictor
from torchworks.shared.models.signature import Signature

OPSET = 20
"""The version of ONNX's operators: ONNX Runtime knows it since 1.17."""
LARGEST = 1 << 31
"""Bytes that an ONNX file can have; more needs a second file, which a bundle refuses."""

GUARD = re.compile(r"Not all values|satisfy|specialized|was inferred to be a constant|<=|>=|==|Ne\(|Eq\(")
"""Marks the lines by which torch.export says what a size has to be."""
MOST_GUARDS = 3

Inputs = tuple[Tensor, ...]


def write_format(form: Format, folder: Path, predictor: Predictor, manifest: Manifest, inputs: Inputs) -> None:
    """Write `predictor` into `folder` as `form`; `inputs` are examples to trace it by, of at least 2 rows. Raises
    `UserError` where it cannot be made."""
    path = folder / MODEL_FILES[form]
    if form == "safetensors":
        _write_safetensors(folder, predictor, manifest)
    elif form == "torchscript":
        _write_torchscript(path, predictor, inputs, manifest.tolerance)
    else:
        WRITERS[form](path, _captured(predictor, inputs), predictor)


def _write_safetensors(folder: Path, predictor: Predictor, manifest: Manifest) -> None:
    path = folder / MODEL_FILES["safetensors"]
    path.write_bytes(save({name: value.contiguous() for name, value in predictor.net.state_dict().items()}))
    extra = (folder / entry.name for entry in manifest.extra)
    files = tuple(map(FileEntry.of, (path, folder / GOLDEN, *extra)))
    (folder / MANIFEST).write_text(
        json.dumps(to_dict(replace(manifest, files=files)), indent=2) + "\n", encoding="utf-8"
    )


def _write_torchscript(path: Path, predictor: Predictor, inputs: Inputs, tolerance: float) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit")  # deprecated: PARITY.md and --help say so
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # a trace is judged by its answers
        warnings.filterwarnings("ignore", message="To copy construct from a tensor")  # by torchvision, when traced
        try:
            traced, file = torch.jit.trace(predictor, inputs, check_trace=False), io.BytesIO()
            fits = all(_answers_alike(predictor, traced, inputs, rows, tolerance) for rows in (1, 3))
        except RuntimeError as error:
            raise _no_trace(_first_line(error)) from error
        if not fits:
            raise _no_trace(f"it answers otherwise than the model for other numbers of rows than {len(inputs[0])}.")
        torch.jit.save(traced, file)
    path.write_bytes(strip_script(file.getvalue()))


@torch.no_grad()
def _answers_alike(predictor: Predictor, traced: Any, inputs: Inputs, rows: int, tolerance: float) -> bool:
    """Whether a trace answers as the model for so many rows: loops over rows are traced as often as they were run."""
    given = tuple(torch.cat([value, value])[:rows] for value in inputs)
    names = [spec.name for spec in predictor.signature.outputs]
    answers = (net(*given) for net in (predictor, traced))
    arrays = [(answer if isinstance(answer, tuple | list) else (answer,)) for answer in answers]
    wanted, found = (dict(zip(names, (value.numpy() for value in each), strict=True)) for each in arrays)
    same_shapes = all(wanted[name].shape == found[name].shape for name in names)
    return same_shapes and all(each.same for each in compare(predictor.signature, wanted, found, tolerance))


def _no_trace(reason: str) -> UserError:
    return UserError(
        f"TorchScript traces what one run does, and that is not enough for this model: {reason} What its net does "
        "depends on what it sees, as in detectors. Export it as onnx or pt2."
    )


def _captured(predictor: Predictor, inputs: Inputs) -> torch.export.ExportedProgram:
    shapes = _dynamic_shapes(predictor)
    learns = _learns(predictor)
    try:
        with warnings.catch_warnings(), torch.set_grad_enabled(learns):  # recurrent layers list weights at each call
            warnings.filterwarnings("ignore", message=".*were assigned during export", category=UserWarning)
            warnings.filterwarnings("ignore", message=".*create_unbacked_symint", category=FutureWarning)  # torchvision
            program = torch.export.export(Positional(predictor), inputs, dynamic_shapes=(shapes,))
    except Exception as error:  # torch.export's own exceptions share no other base
        raise _not_captured(error, predictor.signature) from error
    strip_program(program)
    return program


def _learns(predictor: Predictor) -> bool:
    """Whether gradients are on while it is captured: a scan over time of some models has none."""
    return not isinstance(predictor, Generator) and predictor.exported_with_gradients


def _dynamic_shapes(predictor: Predictor) -> tuple[dict[int, Any], ...]:
    if isinstance(predictor, Generator):
        return predictor.dynamic_shapes()
    most, shapes = predictor.signature.most, predictor.graph_shapes
    names = {size for shape in shapes for size in shape if isinstance(size, str)}
    sizes = {name: torch.export.Dim(name, min=1, max=most.get(name)) for name in names}
    return tuple({i: sizes[size] for i, size in enumerate(shape) if isinstance(size, str)} for shape in shapes)


def _not_captured(error: Exception, signature: Signature) -> UserError:
    """What torch.export says: its first line, and its guards, which tell how a size breaks what the signature says."""
    first, *others = str(error).strip().splitlines() or [repr(error)]
    guards = [line.strip(" -*") for line in others if GUARD.search(line)][:MOST_GUARDS]
    said = " ".join([first, *guards])
    sizes = [name for name in signature.named_sizes if re.search(rf"\b{name}\b", said)]
    what = " and ".join(f"'{name}'" for name in sizes) or "the open sizes"
    return UserError(
        f"torch.export cannot capture this model as a graph for all values of {what} that its signature allows: "
        f"{(' '.join(guards) or first).rstrip('.')}. {_advice(sizes, said)}Else export the run as safetensors."
    )


def _advice(sizes: list[str], said: str) -> str:
    if largest := re.search(r"<= (\d+)", said):
        name = sizes[0] if sizes else "T"
        return f'If {name} has a largest value, the signature must name it, such as most={{"{name}": {largest[1]}}}. '
    if re.search("constant|[Ss]pecializ|== \\d", said):
        return "The code fixes it, as len(tensor), .chunk or a shape made an int do: use tensor.shape. "
    return ""


class Positional(nn.Module):
    """A predictor whose inputs have no names but an order, whatever its `forward` calls them."""

    def __init__(self, predictor: Predictor):
        super().__init__()
        self.predictor = predictor

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.predictor(*inputs)


def _axis_names(shapes: Sequence[tuple[int | str, ...]]) -> tuple[tuple[dict[int, str | None], ...], ...]:
    """What the open sizes of each input are called. Each name stands once, at its first place: it is known elsewhere by
    then, and the exporter warns of names that it is told twice."""
    seen: set[str] = set()
    names: list[dict[int, str | None]] = []
    for shape in shapes:
        new = {i: size for i, size in enumerate(shape) if isinstance(size, str) and size not in seen}
        seen |= set(new.values())
        names.append({**new} or {0: None})
    return (tuple(names),)


def _output_names(predictor: Predictor) -> list[str]:
    """In a graph no output may have the name of an input, as both of a translator are an image. Who runs it takes
    outputs in their order."""
    taken = predictor.graph_inputs
    return [f"{name}.out" if name in taken else name for name in predictor.graph_outputs]


def _write_onnx(path: Path, program: torch.export.ExportedProgram, predictor: Predictor) -> None:
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)  # it warns of empty lists that torch's exporter hands it
    plain = contextlib.nullcontext() if predictor.exported_with_gradients else torch.no_grad()
    with warnings.catch_warnings(), plain:  # torch 2.11 warns of what it does itself
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*create_unbacked_symint", category=FutureWarning)  # torchvision
        made = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=predictor.graph_inputs,
            output_names=_output_names(predictor),
            dynamic_shapes=_axis_names(predictor.graph_shapes),
            external_data=False,
            verbose=False,
        )
    assert made is not None, "torch.onnx.export(dynamo=True) returns a program"
    model = made.model_proto
    strip_onnx(model)
    if model.ByteSize() >= LARGEST:
        raise UserError("The model has 2 GB or more, which one ONNX file cannot hold. Export it as safetensors.")
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _write_pt2(path: Path, program: torch.export.ExportedProgram, predictor: Predictor) -> None:
    file = io.BytesIO()
    torch.export.save(program, file)
    path.write_bytes(file.getvalue())


def _write_aoti(path: Path, program: torch.export.ExportedProgram, predictor: Predictor) -> None:
    torch._inductor.aoti_compile_and_package(program, package_path=str(path))
    path.write_bytes(strip_compiled(path.read_bytes()))


WRITERS = {"onnx": _write_onnx, "pt2": _write_pt2, "aoti": _write_aoti}


def check_compiler() -> None:
    """Raise `UserError` if there is no C++ compiler where PyTorch looks for one."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise UserError(
            f"The format aoti is compiled, and there is no C++ compiler '{compiler}' here. Install one (package g++), "
            "name yours in the variable CXX, or export as onnx."
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
