"""Runs a bundle's ONNX model by ONNX Runtime. Imports no torch."""

from typing import cast

import numpy as np
import onnxruntime

from torchworks.serving.bundle import Bundle
from torchworks.shared.config import UserError

PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


class OnnxEngine:
    """An `Engine`. Threads do not spin between two runs: they would take the processor from decoding. Raises
    `UserError` for a model that does not open, and for a `device` that ONNX Runtime would silently do without."""

    def __init__(self, bundle: Bundle, *, threads: int, device: str):
        wanted = PROVIDERS[device][0]
        if wanted not in onnxruntime.get_available_providers():
            raise UserError(
                f"--device {device} was asked for, but the installed ONNX Runtime {onnxruntime.__version__} is built "
                "without CUDA. Install onnxruntime-gpu in the place of onnxruntime, or use --device cpu."
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.outputs = [spec.name for spec in bundle.manifest.signature.outputs]
        try:
            self.session = onnxruntime.InferenceSession(
                str(bundle.model), options, providers=PROVIDERS[device], enable_fallback=0
            )
        except Exception as error:  # ONNX Runtime's own exceptions share no other base
            raise UserError(f"ONNX Runtime cannot open {bundle.model}: {error}. Export the run again.") from error
        if wanted not in self.session.get_providers():
            raise UserError(
                f"--device {device} was asked for, but ONNX Runtime could not start it, and says why above: mostly "
                "CUDA, cuDNN or the driver are missing or of another version than onnxruntime-gpu "
                f"{onnxruntime.__version__} needs. Install them, or use --device cpu."
            )

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name; may be called from several threads."""
        arrays = cast(list[np.ndarray], self.session.run(None, inputs))  # in the order of the signature
        return dict(zip(self.outputs, arrays, strict=True))
