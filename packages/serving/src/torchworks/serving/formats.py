"""The formats of an exported model."""

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
"""Formats whose files can run code when they are opened: only from trusted makers, and only with --trust-code."""
