"""Takes out of exported files where their maker's code lay: absolute paths of source files, and lines of them.

PyTorch notes for each node of a graph which lines of which files it came from, so a bundle would tell the folders, the
user's name and parts of the code to whoever gets it, and two exports from two folders would differ.
"""

import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx.helper import find_min_ir_version_for
from torch._inductor.runtime.cache_dir_utils import cache_dir

CAPTURED = ("stack_trace", "from_node", "source_fn_stack")
"""What `torch.export` notes of a node's origin, by the keys of `Node.meta`."""
NOTES = ("metadata_props", "doc_string")
"""Fields of ONNX messages that no runtime needs."""
SCRIPT_NOTES = (".debug_pkl", "/.data/serialization_id")
"""Endings of those entries of a TorchScript archive that hold lines of source files, and of their hash."""


def strip_program(program: torch.export.ExportedProgram) -> None:
    """Of a captured graph and those within it."""
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            for key in CAPTURED:
                node.meta.pop(key, None)


def strip_onnx(model: onnx.ModelProto) -> None:
    """Of an ONNX model: all notes on graphs, nodes and values. Without these, which came with version 10 of the format,
    it has the lowest version that its operators allow, so that older runtimes read it."""
    for message in _messages(model):
        for name in NOTES:
            if name in message.DESCRIPTOR.fields_by_name:
                message.ClearField(name)
    model.ir_version = find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)


def _messages(message: Any) -> Iterator[Any]:
    """A protobuf message and all within it."""
    yield message
    if isinstance(message, onnx.TensorProto):  # its numbers are no messages, and there are millions
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _messages(part)


def strip_script(content: bytes) -> bytes:
    """Of a TorchScript archive: the same entries, without those for the debugger and without the hash over all."""
    return _rewritten(content, lambda name, data: None if name.endswith(SCRIPT_NOTES) else data)


def strip_compiled(content: bytes) -> bytes:
    """Of an archive that AOTInductor compiled: without generated code, which is not needed to run, and without the
    compiler's notes in the library."""
    return _rewritten(content, _compiled_entry)


def _rewritten(content: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The archive with each entry as `change` returns it; None leaves it out."""
    stripped = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stripped, "w") as target:
        for entry in source.infolist():
            changed = change(entry.filename, source.read(entry))
            if changed is not None:
                target.writestr(zipfile.ZipInfo(entry.filename, entry.date_time), changed)
    return stripped.getvalue()


def _compiled_entry(name: str, data: bytes) -> bytes | None:
    if name.endswith((".cpp", ".kernel_metadata.json")):
        return None
    return _masked(_without_debugging(data)) if name.endswith(".so") else data


def _without_debugging(library: bytes) -> bytes:
    """Whole if there is no `strip`, which comes with most compilers."""
    if (strip := shutil.which("strip")) is None:
        return library
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.so")
        path.write_bytes(library)
        subprocess.run([strip, "-S", path], check=True)
        return path.read_bytes()


def _masked(library: bytes) -> bytes:
    """With dots for the folders of this machine where messages name source files: a string must keep its length."""
    folders = {cache_dir(), Path(torch.__file__).parents[1], sys.prefix, sys.base_prefix, Path.cwd(), Path.home()}
    for folder in sorted(map(str, folders), key=len, reverse=True):
        library = library.replace(f"{folder}/".encode(), b"." * len(folder.encode()) + b"/")
    return library
