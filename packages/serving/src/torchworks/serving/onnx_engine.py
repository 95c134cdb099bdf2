"""Runs a bundle's ONNX model by ONNX Runtime. Imports no torch."""

import os
import timeit
from typing import cast

import numpy as np
import onnxruntime

from torchworks.serving.bundle import Bundle
from torchworks.shared.config import UserError

PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


FASTER = 1.2
"""So much faster several threads must be than one: each has to be woken for each layer, and cannot decode meanwhile."""
TIMES = 5


class OnnxEngine:
    """An `Engine`, on at most so many `threads`: on one, if more hardly help. Threads do not spin between two runs, as
    they would take the CPU from decoding. Raises `UserError` for a model that does not open, and for a `device`
    that ONNX Runtime would silently do without."""

    def __init__(self, bundle: Bundle, *, threads: int, device: str):
        self.outputs = bundle.manifest.graph_outputs
        self.bundle, self.threads, self.device = bundle, threads, device
        self.session = _session(bundle, threads, device)
        if threads > 1 and device == "cpu":
            single = _session(bundle, 1, device)
            if _seconds(bundle, single) < FASTER * _seconds(bundle, self.session):
                self.session, self.threads = single, 1
        self._process, self._before_fork = os.getpid(), list[onnxruntime.InferenceSession]()

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name; may be called from several threads."""
        if os.getpid() != self._process:
            self._open_anew()
        arrays = cast(list[np.ndarray], self.session.run(None, inputs))  # in the order of the file
        return dict(zip(self.outputs, arrays, strict=True))

    def _open_anew(self) -> None:
        """In a fork, into which the session's threads have not come along: it would wait for them forever, when it runs
        and when it is closed."""
        self._before_fork.append(self.session)
        self.session, self._process = _session(self.bundle, self.threads, self.device), os.getpid()


def _session(bundle: Bundle, threads: int, device: str) -> onnxruntime.InferenceSession:
    wanted = PROVIDERS[device][0]
    if wanted not in onnxruntime.get_available_providers():
        raise UserError(
            f"--device is {device}, but the installed ONNX Runtime {onnxruntime.__version__} is built "
            "without CUDA. Install onnxruntime-gpu in the place of onnxruntime, or use --device cpu."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            str(bundle.model), options, providers=PROVIDERS[device], enable_fallback=0
        )
    except Exception as error:  # ONNX Runtime's own exceptions share no other base
        raise UserError(f"ONNX Runtime cannot open {bundle.model}: {error}. Export the run again.") from error
    if wanted not in session.get_providers():
        raise UserError(
            f"--device is {device}, but ONNX Runtime could not start it, and says why above: mostly "
            "CUDA, cuDNN or the driver are missing or of another version than onnxruntime-gpu "
            f"{onnxruntime.__version__} needs. Install them, or use --device cpu."
        )
    return session


def _seconds(bundle: Bundle, session: onnxruntime.InferenceSession) -> float:
    """Of the golden example, at best."""
    inputs = bundle.manifest.feed(bundle.golden()[0])
    return min(timeit.repeat(lambda: session.run(None, inputs), repeat=TIMES, number=1))
