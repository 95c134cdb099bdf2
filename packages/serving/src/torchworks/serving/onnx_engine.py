"""Runs a bundle's ONNX model by ONNX Runtime. Imports no torch."""

from typing import cast

import numpy as np
import onnxruntime

from torchworks.serving.bundle import Bundle
from torchworks.shared.config import UserError

PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


class OnnxEngine:
    """An `Engine`. Threads do not spin between two runs: they would take the processor from decoding."""

    def __init__(self, bundle: Bundle, *, threads: int, device: str):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.outputs = [spec.name for spec in bundle.manifest.signature.outputs]
        try:
            self.session = onnxruntime.InferenceSession(str(bundle.model), options, providers=PROVIDERS[device])
        except Exception as error:  # ONNX Runtime's own exceptions share no other base
            raise UserError(f"ONNX Runtime cannot open {bundle.model}: {error}. Export the run again.") from error

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name; may be called from several threads."""
        arrays = cast(list[np.ndarray], self.session.run(None, inputs))  # in the order of the signature
        return dict(zip(self.outputs, arrays, strict=True))
