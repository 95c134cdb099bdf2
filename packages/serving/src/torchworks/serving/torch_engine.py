"""Runs a bundle's model by PyTorch: weights with the builder that the training package offers, or a program.

Programs (torchscript, pt2, aoti) can run code when they are opened: pt2 falls back to unpickling, aoti holds a shared
library. So their bytes are read once, compared with the hash in `serving.json`, and those very bytes are opened.
"""

import hashlib
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export.passes import move_to_device_pass

from torchworks.serving.bundle import Bundle
from torchworks.shared.config import UserError
from torchworks.shared.machine.device import without_cuda
from torchworks.shared.machine.facts import cpu_flags
from torchworks.shared.models.denoiser import DenoisingStep
from torchworks.shared.models.manifest import RESTORE
from torchworks.shared.models.predictor import load_predictor


class TorchEngine:
    """An `Engine`: `program` takes tensors of the names `inputs` in their order, on `device`, and gives `outputs`."""

    def __init__(self, program: Callable[..., Any], inputs: Sequence[str], outputs: Sequence[str], device: str):
        self.program, self.inputs, self.outputs = program, inputs, outputs
        self.device = torch.device(device)
        self._process = os.getpid()

    @torch.inference_mode()
    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name. Raises `UserError` in a fork of the process in which the model was opened: PyTorch's threads
        have not come along, and it would wait for them forever."""
        if os.getpid() != self._process:
            raise UserError(
                "The model was opened before this process was forked, and PyTorch's threads do not live on in a fork. "
                "Open it in each worker: for gunicorn, without --preload."
            )
        given = [torch.from_numpy(inputs[name]).to(self.device) for name in self.inputs]
        found = self.program(*given)
        answers = found if isinstance(found, tuple | list) else (found,)
        return {name: answer.cpu().numpy() for name, answer in zip(self.outputs, answers, strict=True)}


def open_torch(bundle: Bundle, *, threads: int, device: str) -> TorchEngine:
    """The engine of a bundle that needs PyTorch. Raises `UserError` for a file that is not the one that was exported or
    does not open here, and for a device that is not there. Programs are for callers who trust their maker."""
    if device == "cuda" and (missing := without_cuda()):
        raise UserError(f"--device cuda cannot be used: {missing}. Use --device cpu.")
    torch.set_num_threads(threads)
    form = bundle.manifest.form
    if form == "safetensors":
        predictor = load_predictor(bundle.folder)
        if predictor.generation != bundle.manifest.generation:
            raise UserError(
                f"{bundle.folder} keeps the state of its texts in another form than '{bundle.manifest.builder}' does "
                "now: it was exported by another version of the package. Export the run again, or install that version."
            )
        predictor = predictor if bundle.manifest.denoising is None else DenoisingStep(predictor).eval()
        return _engine(predictor.to(device), bundle, device)
    content = _verified(bundle)
    try:
        program = OPENERS[form](bundle, content, device)
    except UserError:
        raise
    except Exception as error:  # each loader raises what it likes
        made = bundle.manifest.versions.get("torch", "another version")
        raise UserError(
            f"PyTorch {torch.__version__} cannot open {bundle.model}, which torch {made} made: {error}. Install that "
            "version, or export the run again."
        ) from error
    return _engine(program, bundle, device)


def _engine(program: Callable[..., Any], bundle: Bundle, device: str) -> TorchEngine:
    return TorchEngine(program, bundle.manifest.graph_inputs, bundle.manifest.graph_outputs, device)


def _verified(bundle: Bundle) -> bytes:
    """The bytes of the model's file, if they are those that the manifest names."""
    content = bundle.model.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest not in {entry.sha256 for entry in bundle.manifest.files if entry.name == bundle.model.name}:
        raise UserError(
            f"{bundle.model} is not the file that was exported: its SHA-256 differs, so it was not opened. {RESTORE}"
        )
    return content


def _open_torchscript(bundle: Bundle, content: bytes, device: str) -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit")  # deprecated: --help of the export and PARITY.md say so
        return torch.jit.load(io.BytesIO(content), map_location=device).eval()


def _open_pt2(bundle: Bundle, content: bytes, device: str) -> Callable[..., Any]:
    with warnings.catch_warnings():  # torch 2.11 warns of what it does itself
        warnings.filterwarnings("ignore", message="The given buffer is not writable")
        program = torch.export.load(io.BytesIO(content))
    return move_to_device_pass(program, device).module()


def _open_aoti(bundle: Bundle, content: bytes, device: str) -> Callable[..., Any]:
    if not device.startswith("cpu"):
        raise UserError(f"{bundle.model} was compiled for a CPU, not for {device}. Use --device cpu.")
    missing = sorted(set(bundle.manifest.instructions) - cpu_flags())
    if missing:
        raise UserError(
            f"{bundle.model} was compiled for a CPU with instructions that this one lacks: {', '.join(missing)}. "
            "Export the run on this machine."
        )
    with tempfile.TemporaryDirectory() as folder:  # opens files only
        copy = Path(folder) / bundle.model.name
        copy.write_bytes(content)
        return torch._inductor.aoti_load_package(str(copy))


OPENERS = {"torchscript": _open_torchscript, "pt2": _open_pt2, "aoti": _open_aoti}
