"""The forms that an exported model can have."""

from typing import Literal

Format = Literal["onnx", "torchscript", "pt2", "aoti", "safetensors"]
MODEL_FILES: dict[str, str] = {
    "onnx": "model.onnx",
    "torchscript": "model.ts",
    "pt2": "model.pt2",
    "aoti": "model.pt2",
    "safetensors": "model.safetensors",
}
CODE_FORMATS = ("pt2", "aoti", "torchscript")
"""Forms whose files can run code when they are opened: only from whom one trusts, and only when asked to."""
